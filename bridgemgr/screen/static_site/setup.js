// Setting this device up with a code, and signing it out.

import { waiting } from "./banner.js";
import { enrol, findCode, giveBack, signOut } from "./device.js";
import { byId, onTap, show, write } from "./dom.js";
import { count, say } from "./words.js";

const REFUSALS = ["code_used", "code_expired"]; // as the service calls them
let code = ""; // from the link that was opened; in no address, no storage
let kept = { device: null, queue: [] };
let farewell = null;

/** A code that came with a link; what is wrong with it is said at once. */
export function offer(text) {
  code = findCode(text) || "";
  refuse(code === "" ? "code_mistyped" : null);
  byId("setup").dataset.offered = "yes";
}

/** Whether a code is at hand or asked for, so that the card is to be seen. */
export function wanted() {
  return byId("setup").dataset.offered === "yes";
}

/** The fragment that brings an offered code to the same page in another language. */
export function fragment() {
  return code === "" ? "" : "#" + code;
}

function refuse(key) {
  show(byId("setup-wrong"), key !== null);
  if (key !== null) write(byId("setup-wrong"), say(key));
}

function putAway() {
  code = "";
  byId("code").value = "";
  byId("setup").dataset.offered = "no";
}

function kindOfDevice() {
  const agent = navigator.userAgent;
  if (/iPhone|iPad/.test(agent)) return "iPhone";
  return /Android/.test(agent) ? "Android" : "PC";
}

async function setUp(done) {
  const found = code || findCode(byId("code").value);
  if (!found) {
    refuse("code_mistyped");
    byId("code").focus();
    return;
  }
  const before = kept.device;
  const { status, body } = await enrol(found, byId("device-name").value.trim() || kindOfDevice());
  if (status === 201) {
    farewell = null;
    refuse(null);
    putAway();
    await done();
    if (before !== null) giveBack(before.credential); // nobody holds it any more
    return;
  }
  if (status === 0) refuse("code_no_network");
  else if (status === 429 || status >= 500) refuse("code_busy");
  else {
    code = ""; // another attempt needs another code
    refuse(REFUSALS.indexOf(body.code) >= 0 ? body.code : "code_unknown");
  }
  render.again();
}

/** Wire the buttons: `done()` follows a set-up or a sign-out, `changed()` draws anew. */
export function wire(done, changed, failed) {
  render.again = changed;
  byId("device-name").value = kindOfDevice();
  onTap(byId("set-up"), () => setUp(done), failed);
  byId("set-up-not").addEventListener("click", () => {
    putAway();
    refuse(null);
    changed();
  });
  byId("set-up-anew").addEventListener("click", () => {
    putAway();
    refuse(null);
    byId("setup").dataset.offered = "yes";
    changed();
    byId("code").focus();
  });
  byId("sign-out").addEventListener("click", () => askSignOut(true));
  byId("sign-out-no").addEventListener("click", () => askSignOut(false));
  onTap(byId("sign-out-yes"), () => {
    askSignOut(false);
    return leave(done);
  }, failed);
}

// This device first, which somebody else may be about to use; then the centre, as well as the line allows.
async function leave(done) {
  const { device } = kept;
  const { mine } = waiting(kept);
  await signOut();
  await done();
  const given = mine === 0 && device !== null && (await giveBack(device.credential));
  farewell = given ? "left_given" : "left_stays";
  render.again();
}

function askSignOut(asking) {
  show(byId("sign-out-sure"), asking);
  show(byId("sign-out"), !asking);
}

/** Bring the card, and the one about the device, up to date. */
export function render(view) {
  kept = view.kept;
  const { device } = kept;
  const site = device ? device.site : null;
  show(byId("setup"), !view.broken && (device === null || view.refused || wanted()));
  show(byId("code-row"), code === "");
  show(byId("set-up-not"), device !== null && !view.refused);
  show(byId("setup-already"), site !== null && !view.refused);
  if (site !== null) write(byId("setup-already"), say("already", { site: site.name }));
  show(byId("device"), device !== null);
  show(byId("farewell"), device === null && farewell !== null);
  if (farewell !== null) write(byId("farewell"), say(farewell));
  if (site === null) return;
  write(byId("device-site"), say("device_of", { site: site.name, code: site.code, name: device.name }));
  const { mine } = waiting(kept);
  write(byId("sign-out-waits"), mine > 0 ? count("sign_out", mine, { site: site.name }) : say("sign_out_none"));
  write(byId("device-keeps"), say(view.persistent ? "keeps_firmly" : "keeps_plainly"));
}

// The site's page put together: reads what is kept, shows it, and has it sent.

import * as absence from "./absence.js";
import * as banner from "./banner.js";
import * as cards from "./conference.js";
import { byId, fill, make, show, write } from "./dom.js";
import * as line from "./line.js";
import * as messages from "./messages.js";
import { keep, load, prune } from "./outbox.js";
import * as roster from "./roster.js";
import { sender } from "./sender.js";
import * as setup from "./setup.js";
import { conferences, standing } from "./standing.js";
import { language, say } from "./words.js";

const TICK_MS = 10 * 1000;
const SIGNAL = "bridgemgr-site-changed"; // tells the other tabs, by way of their storage event

const view = {
  kept: null,
  conference: null,
  badge: null,
  broken: false,
  refused: false,
  persistent: false,
  line: "unknown",
  now: Date.now(),
  zone: "UTC",
};
let chosen = null;
const typed = [];

const post = sender(() => refresh(true), failed);

function failed(error) {
  console.error(error);
  view.broken = true;
  draw();
}

function tellOtherTabs() {
  try {
    localStorage.setItem(SIGNAL, String(Math.random()));
  } catch (refused) {
    console.info("other tabs hear of it by their own timers", refused);
  }
}

async function refresh(tell) {
  try {
    view.kept = await load();
    view.broken = false;
  } catch (error) {
    failed(error);
    return;
  }
  if (tell) tellOtherTabs();
  draw();
}

/** Keep events of the conference that is shown, then send them. */
async function send(events) {
  const conference = view.conference.code;
  await keep(view.kept.device.site.code, events.map((event) => Object.assign({ conference }, event)));
  await refresh(true);
  post.run(false);
}

function choose(found) {
  const open = found.filter((each) => chosen !== null && each.code.toLowerCase() === chosen.toLowerCase())[0];
  const live = found.filter((each) => each.status === "live")[0];
  const next = found.filter((each) => each.status === "scheduled")[0];
  return open || live || next || found[0] || null;
}

function drawChoice(found) {
  show(byId("choice"), found.length > 1);
  const buttons = found.map((each) => {
    const label = make("bdi", null, cards.titleOf(each));
    const when = make("small", null, cards.whenOf(each, view.now));
    const button = make("button", { type: "button", "aria-pressed": String(each === view.conference) }, label, when);
    button.dataset.code = each.code;
    return make("li", null, button);
  });
  const key = JSON.stringify([found.map((each) => [each.code, cards.titleOf(each)]), (view.conference || {}).code]);
  if (byId("choice").dataset.key !== key) {
    byId("choice").dataset.key = key;
    fill(byId("choices"), buttons);
  }
  const whens = byId("choices").querySelectorAll("small");
  found.forEach((each, at) => write(whens[at], cards.whenOf(each, view.now)));
}

function drawHead(site) {
  const { conference } = view;
  write(byId("title"), conference ? cards.titleOf(conference) : say("title"));
  write(byId("site"), site ? site.name : "");
  write(byId("when"), conference ? cards.whenOf(conference, view.now) : "");
}

function draw() {
  const { kept } = view;
  show(byId("starting"), false);
  if (kept === null) {
    banner.render(Object.assign({}, view, { kept: { device: null, site: null, queue: [], receipts: [] } }));
    return;
  }
  const site = kept.device ? kept.device.site : null;
  const offset = kept.site ? kept.site.offset : 0;
  view.now = Date.now() + offset;
  view.line = post.state.line;
  view.refused = kept.device !== null && post.state.refused && post.state.credential === kept.device.credential;
  const found = site ? conferences(kept, typed) : [];
  view.conference = choose(found);
  view.zone = (view.conference && view.conference.time_zone) || (site ? site.time_zone : "UTC");
  drawHead(site);
  drawChoice(found);
  banner.render(view);
  setup.render(view);
  messages.render(view);
  show(byId("conference"), view.conference !== null);
  show(byId("none"), site !== null && view.conference === null && kept.site !== null);
  show(byId("hearing"), kept.device !== null && kept.site === null && !view.refused);
  show(byId("other-code"), site !== null);
  if (view.conference !== null) {
    const stands = standing(kept, view.conference.code);
    cards.render(view, stands);
    roster.render(view, stands);
    absence.render(view, stands);
    line.render(view, stands);
  }
}

function open(code) {
  chosen = code;
  cards.forgetNumber();
  refresh(false).then(() => byId("main").focus());
}

// What the address carries after # never reached a server; it leaves the address bar at once.
function readFragment() {
  const text = decodeURIComponent(location.hash.slice(1));
  if (text === "") return;
  history.replaceState(null, "", location.pathname + location.search);
  if (text.indexOf("bmg_") === 0) {
    setup.offer(text);
    return;
  }
  const values = new URLSearchParams(text);
  const code = values.get("c");
  if (!code || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(code)) return;
  typed.push(code);
  chosen = code;
  const number = Number(values.get("d"));
  view.badge = number >= 1 && number <= 100000 && Number.isInteger(number) ? number : null;
}

function wireOwn() {
  byId("choices").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button !== null) open(button.dataset.code);
  });
  byId("other-code").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = byId("other").value.trim();
    const good = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(code);
    show(byId("other-wrong"), !good);
    if (!good) return;
    typed.push(code);
    byId("other").value = "";
    open(code);
  });
  byId("languages").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link !== null) link.hash = setup.fragment(); // a code not yet used goes along
  });
}

function wireWorld() {
  window.addEventListener("hashchange", () => {
    readFragment();
    draw();
  });
  window.addEventListener("online", () => post.run(true));
  window.addEventListener("offline", () => post.run(true));
  window.addEventListener("pageshow", (event) => event.persisted && post.run(true));
  window.addEventListener("storage", (event) => {
    if (event.key === SIGNAL) refresh(false);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") post.run(true);
  });
  setInterval(draw, TICK_MS); // countdowns
}

async function askToPersist() {
  if (!navigator.storage || !navigator.storage.persist) return;
  view.persistent = (await navigator.storage.persisted()) || (await navigator.storage.persist());
}

async function install() {
  if (!("serviceWorker" in navigator)) return;
  // The worker opens the page without a network, in the language that was read last.
  const cache = await caches.open("bridgemgr-site-language");
  await cache.put("/s/language", new Response(language()));
  await navigator.serviceWorker.register("/s/sw.js", { scope: "/s/", updateViaCache: "none" });
}

async function start() {
  readFragment();
  wireOwn();
  cards.wire(send, failed);
  absence.wire(send, failed);
  line.wire(send, failed);
  roster.wire(send, failed, () => {
    view.badge = null;
    draw();
  });
  messages.wire((again) => refresh(true).then(() => again && post.run(true)), failed);
  setup.wire(async () => {
    await refresh(true);
    await post.run(true);
    byId("main").focus();
  }, draw, failed);
  await refresh(false);
  wireWorld();
  post.run(true);
  prune().catch(failed);
  askToPersist().then(draw).catch((error) => console.info("this browser promises no storage", error));
  install().catch((error) => console.info("this page cannot open without a network", error));
}

start();

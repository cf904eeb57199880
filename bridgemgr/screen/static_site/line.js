// The line test: picture, sound and backup line, a tap each. While the centre asks for it, it stands before all else.

import { proofIn } from "./conference.js";
import { byId, onTap, show, write } from "./dom.js";
import { tested, where } from "./proof.js";
import { PARTS } from "./standing.js";
import { instant } from "./times.js";
import { say } from "./words.js";

let shown = "";

/** Wire the buttons; `send(events)` keeps and sends, `failed` hears of what went wrong. */
export function wire(send, failed) {
  PARTS.forEach((part) => {
    buttons(part).forEach((button) => onTap(button, () => send([event(part, button.dataset.works)]), failed));
  });
}

function buttons(part) {
  return Array.from(byId("line-" + part).querySelectorAll("button"));
}

// A line that is not there cannot be tried: only the note says so.
function event(part, works) {
  return works === "none" ? { kind: "test", note: say("no_backup") } : { kind: "test", [part]: works === "true" };
}

/** The last word about a part, {body, at}, and whether it is this device's `own`; null where nobody spoke. */
function word(part, { waiting, receipt, fresh, centre }, offset) {
  const said = waiting || (receipt && receipt.verdict !== "refused" ? receipt : null);
  const heard = centre ? { body: { [part]: centre.works }, at: instant(centre.at), own: false } : null;
  if (said === null) return heard;
  const at = instant(said.body.observed_at);
  const ours = { body: said.body, at: at + offset, own: true };
  if (waiting) return ours;
  if (heard !== null && heard.at > at) return heard;
  // What was accepted and is not known to the service any more was taken back there.
  const known = fresh || said.verdict !== "accepted" || said.body[part] === undefined;
  return known || (heard !== null && heard.at === at) ? ours : heard;
}

function renderPart(part, entry, { kept, zone }, since) {
  const found = word(part, entry, kept.site ? kept.site.offset : 0);
  const answered = found !== null && found.at >= since;
  const before = byId("before-" + part);
  show(before, found !== null && !answered);
  if (found !== null && !answered) write(before, say("line_before", { what: tested(part, found.body) }));
  const works = answered ? (found.body[part] === undefined ? "none" : String(found.body[part])) : "";
  buttons(part).forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.works === works)));
  const { waiting, receipt } = entry;
  const refused = receipt !== null && receipt.verdict === "refused";
  const own = found !== null ? found.own : refused;
  const at = found !== null && !own ? entry.centre.at : null;
  const held = kept.site ? kept.site.held : [];
  const proof = where(own ? { waiting, receipt } : { waiting: null, receipt: null }, at, held, zone);
  proofIn(byId("proof-" + part), proof);
  return answered && (proof === null || proof.tone === "good");
}

// Before the rest while it is asked for, and after the roster otherwise. Only another conference or campaign moves
// it, and opens or shuts it: what somebody is reading stays where it is.
function place(element, key, asked, open) {
  if (shown === key) return;
  shown = key;
  element.open = open;
  const before = byId(asked ? "ready" : "absence");
  before.parentNode.insertBefore(element, before);
}

/** Bring the part up to date, after all others. */
export function render(view, stands) {
  const { conference, now } = view;
  const asks = conference.line_test;
  const from = asks && asks.asked_from ? instant(asks.asked_from) : Infinity;
  const coming = conference.status === "scheduled" && now < instant(conference.starts_at);
  const asked = coming && from <= now;
  const since = asked ? from : 0;
  const told = PARTS.map((part) => renderPart(part, stands.line[part], view, since));
  const spoken = PARTS.some((part) => {
    const { waiting, receipt, centre } = stands.line[part];
    return waiting !== null || receipt !== null || centre !== null;
  });
  const element = byId("line");
  show(element, stands.absence.mine.length === 0 && (coming || conference.unlisted === true || spoken));
  const all = told.every((each) => each);
  write(byId("line-state"), all ? say("line_told") : asked ? say("line_asked") : "");
  place(element, conference.code + " " + since, asked, asked && !all);
}

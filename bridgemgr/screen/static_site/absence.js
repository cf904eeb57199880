// That the whole site does not take part: said with a reason, after a question, and taken back by the same device.

import { proofIn } from "./conference.js";
import { byId, onTap, show, write } from "./dom.js";
import { where } from "./proof.js";
import { headcountOf } from "./standing.js";
import { say } from "./words.js";

let asking = false;
let shown = "";
let mine = [];

/** Wire the buttons; `send(events)` keeps and sends, `failed` hears of what went wrong. */
export function wire(send, failed) {
  const reason = byId("absent-reason");
  byId("absent-ask").addEventListener("click", () => ask(true));
  byId("absent-no").addEventListener("click", () => ask(false));
  onTap(byId("absent-yes"), () => {
    const text = reason.value.trim();
    show(byId("absent-wrong"), text === "");
    if (text === "") {
      reason.focus();
      return null;
    }
    reason.value = "";
    ask(false);
    return send([{ kind: "absent", reason: text }]);
  }, failed);
  const back = ({ event_id }) => ({ kind: "void", corrects: event_id, reason: say("told_back") });
  onTap(byId("absent-back"), () => send(mine.map(back)), failed);
}

function ask(now) {
  asking = now;
  show(byId("absent-sure"), now);
  show(byId("absent-ask"), !now);
  show(byId("absent-wrong"), false);
  byId(now ? "absent-reason" : "absent-ask").focus();
}

// Who has checked in takes part, and says when it has ended.
function mayBeAbsent({ conference, kept }, stands) {
  if (conference.status !== "scheduled" && conference.status !== "live") return false;
  if (headcountOf(stands, kept) !== null || conference.attendance.checked_in_at) return false;
  const words = Object.keys(stands.delegates).map((number) => stands.delegates[number].word);
  return !words.some((word) => word === "in_person" || word === "online");
}

/** Bring the card up to date, after all others: those of a conference in which the site has no part are hidden. */
export function render(view, stands) {
  const { conference, kept, zone } = view;
  if (shown !== conference.code) {
    shown = conference.code;
    asking = false; // the question was about another conference
  }
  mine = stands.absence.mine;
  const away = mine.length > 0;
  const found = where(stands.absence, stands.absence.centre, kept.site ? kept.site.held : [], zone);
  const open = !away && stands.absence.centre === null && mayBeAbsent(view, stands);
  show(byId("absence"), open || found !== null);
  proofIn(byId("absent-proof"), found);
  show(byId("absent-told"), away);
  if (away) write(byId("absent-told"), say("absent_because", { reason: mine[mine.length - 1].body.reason }));
  show(byId("absent-back"), away);
  show(byId("absent-ask"), open && !asking);
  show(byId("absent-sure"), open && asking);
  if (away) ["ready", "headcount", "roster", "end"].forEach((id) => show(byId(id), false));
  else ["ready", "headcount"].forEach((id) => show(byId(id), true));
}

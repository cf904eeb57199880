// The cards of one conference: ready, headcount, end, and whom to call.

import { byId, fill, make, onTap, show, write } from "./dom.js";
import { where } from "./proof.js";
import { headcountOf } from "./standing.js";
import { dayWord, instant, minute, span } from "./times.js";
import { count, digits, say } from "./words.js";

const MOST = 100000;
let touched = false; // the number was changed by hand: what is heard meanwhile must not overwrite it

/** What a conference is called here. */
export function titleOf(conference) {
  return conference.unlisted ? conference.code : conference.title;
}

/** When it is, in words; `now` is the service's time as well as this device knows it. */
export function whenOf(conference, now) {
  if (conference.unlisted) return say("unlisted");
  const zone = conference.time_zone;
  const starts = instant(conference.starts_at);
  const time = minute(starts, zone);
  if (conference.status === "live") return say("when_live", { time });
  if (conference.status !== "scheduled") return say("when_ended", { time: minute(conference.ends_at, zone) });
  const day = dayWord(starts, now, zone);
  return starts > now ? say("when_start", { time, day, span: span(starts - now) }) : say("when_due", { time, day });
}

/** Wire the buttons; `send(events)` keeps and sends, `failed` hears of what went wrong. */
export function wire(send, failed) {
  const number = byId("number");
  onTap(byId("send-ready"), () => send([{ kind: "ready" }]), failed);
  onTap(byId("send-headcount"), () => {
    const value = numberIn();
    show(byId("number-wrong"), value === null);
    if (value === null) {
      number.focus();
      return null;
    }
    touched = false;
    return send([{ kind: "headcount", headcount: value }]);
  }, failed);
  [["less", -1], ["more", 1]].forEach(([id, step]) => {
    byId(id).addEventListener("click", () => {
      number.value = Math.min(MOST, Math.max(0, (numberIn() || 0) + step));
      number.dispatchEvent(new Event("input"));
    });
  });
  number.addEventListener("input", () => {
    touched = true;
    label(byId("headcount").dataset.standing);
  });
  byId("end-ask").addEventListener("click", () => askEnd(true));
  byId("end-no").addEventListener("click", () => askEnd(false));
  onTap(byId("end-yes"), () => {
    askEnd(false);
    return send([{ kind: "end" }]);
  }, failed);
}

/** Another conference is shown: the number in the field is not meant for it. */
export function forgetNumber() {
  touched = false;
}

function askEnd(asking) {
  show(byId("end-sure"), asking);
  show(byId("end-ask"), !asking);
  byId(asking ? "end-yes" : "end-ask").focus();
}

function numberIn() {
  const text = byId("number").value.trim();
  const value = Number(text);
  return /^\d{1,6}$/.test(text) && value <= MOST ? value : null;
}

// The one big button says what it will do.
function label(standing) {
  const value = numberIn();
  const button = byId("send-headcount");
  const known = standing !== undefined && standing !== "";
  const key = known ? "send_count" : "check_in";
  write(button, value === null ? say("check_in_unknown") : count(key, value));
  const told = known && value === Number(standing);
  show(button, !told);
  show(byId("headcount-hint"), told);
  show(byId("number-wrong"), false);
}

/** Show in an element where something is, as `where` says. */
export function proofIn(element, found) {
  show(element, found !== null);
  if (found === null) return;
  element.className = "proof " + found.tone;
  write(element, found.text);
}

/** Bring the cards up to date. */
export function render(view, stands) {
  const { conference, kept, now } = view;
  const zone = conference.time_zone || kept.device.site.time_zone;
  const held = kept.site ? kept.site.held : [];
  const ready = where(stands.ready, stands.ready.centre, held, zone);
  proofIn(byId("ready-proof"), ready);
  show(byId("send-ready"), ready === null);
  show(byId("ready-hint"), ready === null);
  byId("ready").classList.toggle("done", ready !== null && ready.tone === "good");
  renderHeadcount(view, stands, held, zone);
  renderEnd(view, stands, held, zone);
  renderHelp(conference.help || []);
}

function renderHeadcount({ conference, kept }, stands, held, zone) {
  const standing = headcountOf(stands, kept);
  const attendance = conference.attendance || {};
  const card = byId("headcount");
  card.dataset.standing = standing === null ? "" : String(standing);
  const prefill = standing === null ? conference.expected : standing;
  if (!touched) byId("number").value = prefill === undefined ? "" : String(prefill);
  show(byId("expected"), conference.expected > 0);
  if (conference.expected > 0) write(byId("expected"), say("expected", { count: digits(conference.expected) }));
  const found = where(stands.headcount, attendance.headcount === null ? null : attendance.checked_in_at, held, zone);
  proofIn(byId("headcount-proof"), found);
  show(byId("headcount-stands"), standing !== null);
  if (standing !== null) write(byId("headcount-stands"), count("checked_in", standing));
  card.classList.toggle("done", found !== null && found.tone === "good");
  const { receipt, waiting } = stands.headcount;
  const counted = receipt !== null && waiting === null && receipt.verdict === "accepted" && standing !== null;
  const other = counted && standing !== receipt.body.headcount;
  show(byId("headcount-other"), other);
  if (other) write(byId("headcount-other"), count("centre_counts", standing));
  label(card.dataset.standing);
}

function renderEnd({ conference, now }, stands, held, zone) {
  const found = where(stands.end, stands.end.centre, held, zone);
  const begun = conference.unlisted || conference.status !== "scheduled" || instant(conference.starts_at) <= now;
  show(byId("end"), begun || found !== null);
  proofIn(byId("end-proof"), found);
  show(byId("end-ask"), found === null && byId("end-sure").hidden);
}

function renderHelp(lines) {
  const key = JSON.stringify(lines);
  const list = byId("help-lines");
  if (list.dataset.key === key) return; // a link that somebody is about to tap stays where it is
  list.dataset.key = key;
  fill(list, lines.map((line) => helpLine(line)));
  show(byId("help-none"), lines.every((line) => !line.dial));
}

function helpLine(line) {
  const who = make("p", null, make("bdi", null, line.office));
  if (line.contact) who.append(" · ", make("bdi", null, line.contact));
  const item = make("li", null, who);
  if (line.dial) {
    const number = make("bdi", { dir: "ltr" }, line.phone);
    const label = make("span", null, say("call") + " ", number);
    item.append(make("a", { class: "button", href: "tel:" + line.dial }, label));
  }
  return item;
}

// The roster: one tap for each who is in the room, a choice for all else; and the badge that was scanned.

import { byId, fill, make, onTap, show, write } from "./dom.js";
import { toSay } from "./standing.js";
import { count, digits, say } from "./words.js";

const WORDS = ["in_person", "online", "excused", "absent", "left"];
const FILTER_FROM = 12;
const rows = new Map();
let drawn = "";

/** Wire the buttons; `send(events)` keeps and sends, `failed` hears of what went wrong, `badge` is put aside. */
export function wire(send, failed, putBadgeAway) {
  onTap(byId("all-present"), () => {
    const events = unspoken().map((number) => toSay(number, "in_person"));
    return events.length > 0 ? send(events) : null;
  }, failed);
  byId("filter").addEventListener("input", () => {
    const wanted = byId("filter").value.trim().toLowerCase();
    rows.forEach((row) => show(row.item, row.called.textContent.toLowerCase().indexOf(wanted) >= 0));
  });
  ["in_person", "online"].forEach((word) => {
    onTap(byId("badge-" + word), () => send([toSay(Number(byId("badge").dataset.number), word)]), failed);
  });
  byId("badge-away").addEventListener("click", putBadgeAway);
  // Leaving the field saves as the button does: what was written must not wait for a tap that does not come.
  const explain = (number) => {
    const row = rows.get(number);
    const reason = row.reason.value.trim();
    if (reason === row.told || row.select.value !== "excused") return;
    row.told = reason;
    Promise.resolve(send([toSay(number, "excused", reason)])).catch(failed);
  };
  byId("names").addEventListener("change", ({ target }) => {
    const number = Number(target.dataset.number);
    if (target.tagName === "INPUT") explain(number);
    else Promise.resolve(send([toSay(number, target.value)])).catch(failed);
  });
  byId("names").addEventListener("submit", (event) => {
    event.preventDefault();
    explain(Number(event.target.dataset.number));
  });
  byId("names").addEventListener("click", (event) => {
    const button = event.target.closest(".tick");
    if (button === null || button.getAttribute("aria-pressed") === "true") return;
    Promise.resolve(send([toSay(Number(button.dataset.number), "in_person")])).catch(failed);
  });
}

function unspoken() {
  const found = [];
  rows.forEach((row, number) => {
    if (row.select.value === "") found.push(number);
  });
  return found;
}

function draw(roster) {
  const key = JSON.stringify(roster.map((each) => [each.number, each.name, each.title]));
  if (key === drawn) return;
  drawn = key;
  rows.clear();
  roster.forEach((delegate) => rows.set(delegate.number, rowOf(delegate)));
  fill(byId("names"), Array.from(rows.values(), (row) => row.item));
  byId("filter").value = "";
}

function rowOf({ number, name, title }) {
  const called = make("span", { class: "called", id: "delegate-" + number }, make("bdi", null, name));
  called.append(make("small", null, digits(number), title ? " · " : "", make("bdi", null, title)));
  const tick = make("button", { type: "button", class: "tick", "data-number": number, "aria-pressed": "false" });
  tick.setAttribute("aria-label", say("present_named", { name }));
  const options = WORDS.map((word) => make("option", { value: word }, say("state_" + word)));
  const none = make("option", { value: "", disabled: true, selected: true }, say("state_none"));
  const label = say("state_named", { name });
  const select = make("select", { "data-number": number, "aria-label": label }, none, ...options);
  const fields = { "data-number": number, "aria-label": say("reason_named", { name }), placeholder: say("reason") };
  const reason = make("input", Object.assign({ maxlength: 500, autocomplete: "off" }, fields));
  const why = make("form", { class: "why", "data-number": number }, reason, make("button", null, say("reason_save")));
  return { item: make("li", null, tick, called, select, why), tick, called, select, why, reason, told: "" };
}

// What somebody is writing is left alone.
function renderReason(row, word, reason) {
  show(row.why, word === "excused");
  if (row.told === reason) return;
  if (row.reason.value.trim() === row.told) row.reason.value = reason;
  row.told = reason;
}

/** Bring the roster and the badge's card up to date. */
export function render({ conference, badge }, stands) {
  const roster = conference.roster || [];
  show(byId("roster"), roster.length > 0);
  draw(roster);
  show(byId("filter-row"), roster.length >= FILTER_FROM);
  let present = 0;
  rows.forEach((row, number) => {
    const { word, waits, reason } = stands.delegates[number] || { word: "", waits: false, reason: "" };
    const here = word === "in_person" || word === "online";
    if (here) present += 1;
    renderReason(row, word, reason);
    if (row.select.value !== word) row.select.value = word;
    row.tick.setAttribute("aria-pressed", String(here));
    row.item.className = (waits ? "waits " : "") + (here ? "here" : word === "" ? "" : "away");
  });
  const left = unspoken().length;
  write(byId("roster-tally"), say("tally", { present: digits(present), all: digits(roster.length) }));
  show(byId("all-present"), left > 0);
  if (left > 0) write(byId("all-present"), left === roster.length ? count("all", left) : count("others", left));
  renderBadge(badge, roster, stands);
}

function renderBadge(number, roster, stands) {
  show(byId("badge"), number !== null);
  if (number === null) return;
  const delegate = roster.filter((each) => each.number === number)[0];
  const { word, waits } = stands.delegates[number] || { word: "", waits: false };
  const here = word === "in_person" || word === "online";
  byId("badge").dataset.number = String(number);
  write(byId("badge-name"), delegate ? delegate.name : say("delegate", { number }));
  write(byId("badge-title"), delegate ? delegate.title : "");
  ["in_person", "online"].forEach((each) => show(byId("badge-" + each), !here));
  show(byId("badge-done"), here);
  if (here) write(byId("badge-done"), say("state_" + word) + (waits ? " · " + say("waits") : ""));
}

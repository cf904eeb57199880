// What stands for one conference: what the service says, and over it what this device knows better or later.

import { instant } from "./times.js";

const DAY_MS = 24 * 3600 * 1000;

function same(one, other) {
  return one.toLowerCase() === other.toLowerCase();
}

/** A delegate's state in one word, as the roster's choices are called. */
function choice(delegate) {
  if (delegate.state === "present") return delegate.mode === "online" ? "online" : "in_person";
  if (delegate.state === "absent") return delegate.excused ? "excused" : "absent";
  return delegate.state || "";
}

/** What an event says of its delegate, in the same words. */
function saidBy(body) {
  if (body.kind === "arrive") return body.mode === "online" ? "online" : "in_person";
  if (body.kind === "absent") return body.excused ? "excused" : "absent";
  return body.kind === "leave" ? "left" : "";
}

/** The event that says it of a delegate. */
export function toSay(number, word) {
  if (word === "in_person" || word === "online") return { kind: "arrive", delegate: number, mode: word };
  if (word === "left") return { kind: "leave", delegate: number };
  return { kind: "absent", delegate: number, excused: word === "excused" };
}

/** The conferences to choose from: those that the service names, and those of which only this device speaks. */
export function conferences(kept, typed) {
  const found = kept.site ? kept.site.conferences.slice() : [];
  const add = (code) => {
    if (!found.some((each) => same(each.code, code))) found.push({ code, unlisted: true });
  };
  const code = kept.device && kept.device.site ? kept.device.site.code : null;
  kept.queue.filter((item) => code !== null && same(item.site, code)).forEach((item) => add(item.body.conference));
  const fresh = (item) => instant(kept.site.now) - instant(item.received_at) < DAY_MS;
  const held = kept.site ? kept.site.held.filter((item) => item.verdict === "held" && fresh(item)) : [];
  held.forEach((item) => add(item.conference));
  typed.forEach(add);
  return found;
}

/**
 * @param {object} kept what `load` read
 * @param {string} code the conference's
 * @returns {{ready: object, headcount: object, end: object, delegates: object}} of each kind {waiting, receipt,
 *   centre}: the event that waits, the last one receipted, and what the service says; delegates by number
 *   {word, waits}
 */
export function standing(kept, code) {
  const own = kept.device.site.code;
  const mine = (item) => same(item.site, own) && same(item.body.conference, code);
  const queue = kept.queue.filter((item) => mine(item) && item.problem === null);
  const receipts = kept.receipts.filter(mine);
  const named = kept.site ? kept.site.conferences.filter((each) => same(each.code, code)) : [];
  const centre = named.length > 0 ? named[0] : null;
  const attendance = centre ? centre.attendance : {};
  const last = (items, kind) => items.filter((item) => item.body.kind === kind).pop() || null;
  const of = (kind, said) => ({ waiting: last(queue, kind), receipt: last(receipts, kind), centre: said || null });
  return {
    ready: of("ready", attendance.ready_at),
    headcount: of("headcount", attendance.headcount === undefined ? null : attendance.headcount),
    end: of("end", attendance.ended_at),
    delegates: delegates(centre, queue, newer(kept, receipts)),
  };
}

/** Those accepted since the service was last heard: what it said then does not know of them yet. */
function newer(kept, receipts) {
  const said = kept.site ? instant(kept.site.now) : 0;
  return receipts.filter((item) => item.verdict === "accepted" && instant(item.received_at) > said);
}

function delegates(centre, queue, receipts) {
  const found = {};
  (centre ? centre.roster : []).forEach((delegate) => {
    found[delegate.number] = { word: choice(delegate), waits: false };
  });
  const lay = (waits) => (item) => {
    if (item.body.delegate && saidBy(item.body)) found[item.body.delegate] = { word: saidBy(item.body), waits };
  };
  receipts.forEach(lay(false));
  queue.forEach(lay(true));
  return found;
}

/** The headcount that stands: the one that waits, else the service's, else the one receipted since. */
export function headcountOf(stands, kept) {
  const { waiting, receipt, centre } = stands.headcount;
  if (waiting) return waiting.body.headcount;
  if (receipt && newer(kept, [receipt]).length > 0) return receipt.body.headcount;
  return centre;
}

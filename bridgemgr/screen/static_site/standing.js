// What stands for one conference: what the service says, and over it what this device knows better or later.

import { instant } from "./times.js";

/** What a line test tries. */
export const PARTS = ["picture", "sound", "backup"];

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

/** The event that says it of a delegate; `reason` is for those absent with leave, and may be empty. */
export function toSay(number, word, reason) {
  if (word === "in_person" || word === "online") return { kind: "arrive", delegate: number, mode: word };
  if (word === "left") return { kind: "leave", delegate: number };
  const event = { kind: "absent", delegate: number, excused: word === "excused" };
  return reason ? Object.assign(event, { reason }) : event;
}

/** Of which part of the line a test speaks; that of nothing says that there is no backup line. */
export function trying(body) {
  if (body.kind !== "test") return null;
  return PARTS.filter((part) => body[part] !== undefined)[0] || "backup";
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
 * @returns {{ready: object, headcount: object, end: object, line: object, absence: object, delegates: object}} of
 *   each kind {waiting, receipt, fresh, centre}: the event that waits, the last one receipted, whether the service
 *   was last heard before that was accepted, and what it says;
 *   of the line the same by part; of the site's absence also `mine`, the events of this device that stand for it;
 *   delegates by number {word, waits, reason}
 */
export function standing(kept, code) {
  const own = kept.device.site.code;
  const mine = (item) => same(item.site, own) && same(item.body.conference, code);
  const queue = kept.queue.filter((item) => mine(item) && item.problem === null);
  const receipts = kept.receipts.filter(mine);
  const named = kept.site ? kept.site.conferences.filter((each) => same(each.code, code)) : [];
  const centre = named.length > 0 ? named[0] : null;
  const attendance = centre ? centre.attendance : {};
  const last = (items, fits) => items.filter(({ body }) => fits(body)).pop() || null;
  const fresh = newer(kept, receipts);
  const those = (fits, said) => {
    const receipt = last(receipts, fits);
    return { waiting: last(queue, fits), receipt, fresh: fresh.indexOf(receipt) >= 0, centre: said || null };
  };
  const of = (kind, said) => those((body) => body.kind === kind, said);
  const tested = (centre && centre.line_test) || {};
  const line = {};
  PARTS.forEach((part) => {
    line[part] = those((body) => trying(body) === part, tested[part]);
  });
  return {
    ready: of("ready", attendance.ready_at),
    headcount: of("headcount", attendance.headcount === undefined ? null : attendance.headcount),
    end: of("end", attendance.ended_at),
    line,
    absence: absence(attendance.absent_at || null, queue, receipts, fresh),
    delegates: delegates(centre, queue, fresh),
  };
}

/** That the whole site is absent: said by this device and not taken back, or known to the service alone. */
function absence(said, queue, receipts, fresh) {
  const counted = queue.concat(receipts.filter((item) => item.verdict === "accepted"));
  const back = counted.filter((item) => item.body.kind === "void").map((item) => item.body.corrects);
  const stands = (item) => item.body.kind === "absent" && !item.body.delegate && back.indexOf(item.event_id) < 0;
  // An accepted one of which the service knows nothing was taken back by an operator.
  const known = (item) => item.verdict !== "accepted" || said !== null || fresh.indexOf(item) >= 0;
  const waiting = queue.filter(stands);
  const receipted = receipts.filter((item) => stands(item) && known(item));
  const backJustNow = queue.concat(fresh).some((item) => item.body.kind === "void");
  return {
    waiting: waiting[waiting.length - 1] || null,
    receipt: receipted[receipted.length - 1] || null,
    centre: backJustNow ? null : said,
    mine: waiting.concat(receipted.filter((item) => item.verdict === "accepted")),
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
    found[delegate.number] = { word: choice(delegate), waits: false, reason: delegate.reason || "" };
  });
  const lay = (waits) => ({ body }) => {
    const word = saidBy(body);
    if (body.delegate && word) found[body.delegate] = { word, waits, reason: body.reason || "" };
  };
  receipts.forEach(lay(false));
  queue.forEach(lay(true));
  return found;
}

/** The headcount that stands: the one that waits, else the one receipted since, else the service's or what it holds. */
export function headcountOf(stands, kept) {
  const { waiting, receipt, centre } = stands.headcount;
  if (waiting) return waiting.body.headcount;
  if (receipt && newer(kept, [receipt]).length > 0) return receipt.body.headcount;
  return centre === null && receipt && receipt.verdict === "held" ? receipt.body.headcount : centre;
}

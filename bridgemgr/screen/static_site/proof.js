// One line under what was sent: where it is now, in plain words and with the seconds that may be argued about.

import { trying } from "./standing.js";
import { instant, clock } from "./times.js";
import { count, note, say } from "./words.js";

const AT_ONCE_MS = 60 * 1000;

/** What an event says, in words. */
export function told(body) {
  // Isolated: a reason may run against the direction of the page (Unicode annex 9, FSI and PDI).
  return body.reason && body.kind === "absent" ? fact(body) + ": \u2068" + body.reason + "\u2069" : fact(body);
}

function fact(body) {
  if (body.kind === "headcount") return count("delegates", body.headcount);
  if (body.kind === "test") return say("told_test", { what: tested(trying(body), body) });
  const values = { number: body.delegate };
  if (body.kind === "arrive") return say(body.mode === "online" ? "told_online" : "told_in_person", values);
  if (body.kind === "leave") return say("told_left", values);
  if (body.kind === "void") return say("told_back");
  if (body.kind === "absent" && !body.delegate) return say("told_site_absent");
  if (body.kind === "absent") return say(body.excused ? "told_excused" : "told_absent", values);
  return say(body.kind === "ready" ? "told_ready" : "told_end");
}

/** What a test says of a part of the line: that it works, that it does not, or that there is none. */
export function tested(part, body) {
  return say(body[part] === undefined ? "no_backup" : part + (body[part] ? "_works" : "_fails"));
}

/** How a receipted event fared: {tone, text}, with what an operator decided later of one that was held. */
export function fate(receipt, held, zone) {
  const late = instant(receipt.sent_at) - instant(receipt.body.observed_at) > AT_ONCE_MS;
  const received = clock(receipt.received_at, zone);
  const times = late
    ? say("recorded_received", { recorded: clock(receipt.body.observed_at, zone), received })
    : say("sent_received", { sent: clock(receipt.sent_at, zone), received });
  if (receipt.verdict === "accepted") return { tone: "good", text: times };
  const later = held.filter((each) => each.event_id === receipt.event_id)[0];
  if (later && later.verdict === "admitted") return { tone: "good", text: times + " · " + say("admitted") };
  if (later && later.verdict === "dismissed") {
    return { tone: "bad", text: times + " · " + say("dismissed", { reason: note(later.reason || "") }) };
  }
  const key = receipt.verdict === "held" ? "held" : "refused";
  const tone = receipt.verdict === "held" ? "warn" : "bad";
  return { tone, text: times + " · " + say(key, { reason: note(receipt.note || "") }) };
}

/** The same for what stands of one kind: {tone, text}; null where nothing was said. `at` is the service's time. */
export function where(entry, at, held, zone) {
  if (entry.waiting) {
    return { tone: "warn", text: say("waits_since", { time: clock(entry.waiting.body.observed_at, zone) }) };
  }
  if (entry.receipt) return fate(entry.receipt, held, zone);
  if (at) return { tone: "good", text: say("entered_elsewhere", { time: clock(at, zone) }) };
  return null;
}

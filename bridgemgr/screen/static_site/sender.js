// Brings the outbox to the service and listens what it says: at once, on a change of the line, and by timer.

import { ask, hear } from "./device.js";
import { sendable, settle } from "./outbox.js";
import { stamp } from "./times.js";

const SLICE_BYTES = 20 * 1000; // on a line of 2 kB/s a slice takes ten seconds, and a break costs no more
const SLICE_ITEMS = 1000;
const FIRST_RETRY_MS = 2 * 1000;
const LONGEST_RETRY_MS = 60 * 1000;
const LISTEN_MS = 60 * 1000;
const FRESH_MS = 20 * 1000;
const AGAIN_LATER = [0, 404, 405, 408, 425, 429]; // no word on the events themselves

/** As many of the first items as fit into a slice, at least one. */
function slice(items, most) {
  const taken = [];
  let size = 12;
  for (let at = 0; at < items.length && at < most; at += 1) {
    size += new TextEncoder().encode(JSON.stringify(items[at].body)).length + 1;
    if (taken.length > 0 && size > SLICE_BYTES) break;
    taken.push(items[at]);
  }
  return taken;
}

/**
 * @param {function()} changed called whenever something new is in the database or in `state`
 * @param {function(Error)} failed called when the browser cannot keep things
 * @returns {{state: {line: string, credential: string|null, refused: boolean, busy: boolean}, run: function(boolean)}}
 *   line: "unknown", "good", "none" (no network) or "busy" (the service cannot take it now);
 *   refused: the service does not know `credential`.
 */
export function sender(changed, failed) {
  const state = { line: "unknown", credential: null, refused: false, busy: false };
  let again = false;
  let failures = 0;
  let least = 0; // ms, as the service asks
  let timer = 0;
  let heard = 0;
  let most = SLICE_ITEMS;

  function judge(device, answer) {
    state.credential = device.credential;
    state.refused = answer.status === 401;
    least = answer.retryAfter * 1000;
    if (answer.status === 0) state.line = "none";
    else state.line = AGAIN_LATER.indexOf(answer.status) >= 0 || answer.status >= 500 ? "busy" : "good";
    return state.line === "good" && !state.refused;
  }

  // Whether it went on: false means to wait.
  async function take(answer, sent, sentAt) {
    if (answer.status === 200) {
      const ids = sent.map((item) => item.event_id);
      const given = Array.isArray(answer.body.items) ? answer.body.items : [];
      const items = given.filter((item) => ids.indexOf(item.event_id) >= 0);
      const told = items.filter((item) => item.receipt || (item.status < 500 && item.status !== 429));
      await settle(told, sentAt);
      if (told.length === 0) state.line = "busy";
      return told.length > 0;
    }
    if (sent.length > 1) {
      most = 1; // something of it is not to the service's liking: find out what
    } else {
      const error = { detail: answer.body.detail || String(answer.status) };
      await settle([{ event_id: sent[0].event_id, status: answer.status, error }], sentAt);
    }
    return true;
  }

  async function drain() {
    most = SLICE_ITEMS;
    for (;;) {
      const { device, items } = await sendable();
      if (device === null) return false;
      if (items.length === 0) return true;
      const sent = slice(items, most);
      const sentAt = stamp(new Date());
      const body = JSON.stringify({ items: sent.map((item) => item.body) });
      const answer = await ask("POST", "/api/v1/check-ins/batch", device.credential, body);
      if (!judge(device, answer) || !(await take(answer, sent, sentAt))) return false;
      failures = 0;
      changed();
    }
  }

  async function listen(force) {
    if (!force && Date.now() - heard < FRESH_MS) return true;
    const { device } = await sendable();
    if (device === null) return false;
    const status = await hear(device);
    const good = judge(device, { status, retryAfter: 0 });
    if (good) heard = Date.now();
    return good;
  }

  function schedule(good) {
    const wait = good ? LISTEN_MS : Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * Math.pow(2, failures));
    failures = good ? 0 : failures + 1;
    // Jittered: hundreds of sites come back at the same moment when a line is mended.
    timer = setTimeout(() => run(true), Math.max(least, wait * (0.5 + Math.random())));
  }

  /** Send and listen now; `force` also where the service was heard a moment ago. */
  async function run(force) {
    if (state.busy) {
      again = true;
      return;
    }
    clearTimeout(timer);
    state.busy = true;
    let good = false;
    try {
      do {
        again = false;
        // What the site is comes first: without it nothing can be sent.
        const { device } = await sendable();
        const known = device !== null && device.site !== null;
        good = known ? (await drain()) && (await listen(force)) : (await listen(true)) && (await drain());
      } while (again && good);
    } catch (error) {
      failed(error);
    }
    state.busy = false;
    schedule(good);
    changed();
  }

  return { state, run };
}

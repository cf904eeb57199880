// What this device has to say: kept before it is sent, and kept until a receipt is here.

import { got, transact } from "./database.js";
import { stamp } from "./times.js";

const RECEIPTS_KEPT_MS = 30 * 24 * 3600 * 1000;

/** A random UUID (RFC 9562, section 5.4); crypto.randomUUID is younger than the browsers that come here. */
function eventId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => (byte < 16 ? "0" : "") + byte.toString(16)).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * Keep events, numbered, before anything is sent.
 * @param {string} site code of the site they speak for; sent along, so that the service refuses another's
 * @param {object[]} events conference, kind and what belongs to it
 */
export function keep(site, events) {
  const observed = stamp(new Date());
  return transact(["settings", "queue"], "readwrite", ({ settings, queue }) => {
    got(settings.get("seq"), (last) => {
      let seq = last || 0;
      events.forEach((event) => {
        seq += 1;
        const body = Object.assign({ event_id: eventId(), site, seq, observed_at: observed }, event);
        queue.put({ event_id: body.event_id, site, seq, body, problem: null });
      });
      settings.put(seq, "seq");
    });
  });
}

// What went out in one batch was received at one moment: then its number says what was said last.
function inOrder(one, other) {
  if (one.received_at === other.received_at) return one.body.seq - other.body.seq;
  return one.received_at < other.received_at ? -1 : 1;
}

/** Everything the page shows, read at once: device, site (as last heard), queue by number, receipts by time. */
export function load() {
  return transact(["settings", "queue", "receipts"], "readonly", ({ settings, queue, receipts }, give) => {
    const found = { device: null, site: null, queue: [], receipts: [] };
    give(found);
    got(settings.get("device"), (value) => {
      found.device = value || null;
    });
    got(settings.get("site"), (value) => {
      found.site = value || null;
    });
    got(queue.getAll(), (items) => {
      found.queue = items.sort((one, other) => one.seq - other.seq);
    });
    got(receipts.getAll(), (items) => {
      found.receipts = items.sort(inOrder);
    });
  });
}

/** The device, and of the queue what it may send now, in one look: a sign-out in another tab counts at once. */
export function sendable() {
  return transact(["settings", "queue"], "readonly", ({ settings, queue }, give) => {
    got(settings.get("device"), (device) => {
      got(queue.getAll(), (items) => {
        const code = device && device.site ? device.site.code.toLowerCase() : null;
        const mine = items.filter((item) => item.site.toLowerCase() === code && item.problem === null);
        give({ device: device || null, items: mine.sort((one, other) => one.seq - other.seq) });
      });
    });
  });
}

/**
 * Take in the service's answers to some events. Only a receipt lets go of one; what was not taken stays, with why.
 * @param {{event_id: string, receipt: object, verdict: string, note: string, status: number, error: object}[]} answers
 * @param {string} sentAt when they were sent, by this device's clock
 */
export function settle(answers, sentAt) {
  return transact(["queue", "receipts"], "readwrite", ({ queue, receipts }) => {
    answers.forEach((answer) => {
      got(queue.get(answer.event_id), (item) => {
        if (!item) return; // another tab was quicker
        if (answer.receipt) {
          receipts.put({
            event_id: item.event_id,
            site: item.site,
            body: item.body,
            sent_at: sentAt,
            received_at: answer.receipt.received_at,
            verdict: answer.verdict,
            note: answer.note || null,
            receipt: answer.receipt,
          });
          queue.delete(item.event_id);
        } else if (answer.status >= 400 && answer.status < 500) {
          queue.put(Object.assign(item, { problem: (answer.error && answer.error.detail) || String(answer.status) }));
        }
      });
    });
  });
}

/** Try again what could not be delivered. */
export function retry(ids) {
  return transact(["queue"], "readwrite", ({ queue }) => {
    ids.forEach((id) => got(queue.get(id), (item) => item && queue.put(Object.assign(item, { problem: null }))));
  });
}

/** Let go of what could not be delivered and was reported in another way. */
export function discard(ids) {
  return transact(["queue"], "readwrite", ({ queue }) => {
    ids.forEach((id) => got(queue.get(id), (item) => item && item.problem !== null && queue.delete(id)));
  });
}

/** Forget receipts of conferences long past. */
export function prune() {
  const oldest = new Date(Date.now() - RECEIPTS_KEPT_MS).toISOString();
  return transact(["receipts"], "readwrite", ({ receipts }) => {
    got(receipts.getAll(), (items) => {
      items.filter((item) => item.received_at < oldest).forEach((item) => receipts.delete(item.event_id));
    });
  });
}

// The line under the title: is anything still on its way, and what cannot be promised.

import { byId, fill, make, show, write } from "./dom.js";
import { clock } from "./times.js";
import { count, say } from "./words.js";

const CLOCK_OFF_MS = 2 * 60 * 1000;

/** The events that wait for this device's site, and those of other sites, by code. */
export function waiting(kept) {
  const own = kept.device && kept.device.site ? kept.device.site.code.toLowerCase() : null;
  const others = {};
  let mine = 0;
  kept.queue.forEach((item) => {
    if (item.site.toLowerCase() === own) mine += item.problem === null ? 1 : 0;
    else others[item.site] = (others[item.site] || 0) + 1;
  });
  return { mine, others };
}

function main(view, mine) {
  if (view.broken) return { tone: "bad", text: say("no_storage") };
  if (view.refused) return { tone: "bad", text: mine > 0 ? count("revoked", mine) : say("revoked_none") };
  if (view.kept.device === null) return null;
  if (view.line === "none") return { tone: "warn", text: mine > 0 ? count("offline", mine) : say("offline_none") };
  if (view.line === "busy") return { tone: "warn", text: mine > 0 ? count("busy", mine) : say("busy_none") };
  if (mine > 0) return { tone: "calm", text: count("sending", mine) };
  const { receipts, device } = view.kept;
  const last = receipts.filter((item) => device.site && item.site === device.site.code).pop();
  if (view.line !== "good" || !last) return null;
  return { tone: "good", text: say("all_received", { time: clock(last.received_at, view.zone) }) };
}

function remarks(view, { mine, others }) {
  const found = [];
  if (mine > 0 && view.line === "none") found.push(say(view.persistent ? "promise_kept" : "promise_plain"));
  Object.keys(others).forEach((site) => found.push(count("other_site", others[site], { site })));
  const offset = view.kept.site ? view.kept.site.offset : 0;
  if (Math.abs(offset) > CLOCK_OFF_MS) {
    const minutes = Math.round(Math.abs(offset) / 60000);
    found.push(say(offset > 0 ? "clock_slow" : "clock_fast", { minutes }));
  }
  if (!window.isSecureContext) found.push(say("insecure"));
  return found;
}

/** Bring the banner up to date. */
export function render(view) {
  const waits = waiting(view.kept);
  const found = main(view, waits.mine);
  const banner = byId("banner");
  banner.className = found === null ? "" : found.tone;
  write(banner.firstElementChild, found === null ? "" : found.text);
  const lines = remarks(view, waits);
  show(byId("remarks"), lines.length > 0);
  if (byId("remarks").dataset.said !== lines.join("\n")) {
    byId("remarks").dataset.said = lines.join("\n");
    fill(byId("remarks"), lines.map((text) => make("li", null, text)));
  }
}

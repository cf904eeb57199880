// What was sent from this device, with its receipts; and what could not be delivered, which is never hidden.

import { byId, fill, make, onTap, show, write } from "./dom.js";
import { discard, retry } from "./outbox.js";
import { fate, told } from "./proof.js";
import { clock } from "./times.js";
import { note, say } from "./words.js";

const SHOWN = 50;
let view = null;

/** Wire the buttons; `changed(send)` is called when the queue has changed. */
export function wire(changed, failed) {
  onTap(byId("again"), () => retry(stuck().map((item) => item.event_id)).then(() => changed(true)), failed);
  byId("discard-ask").addEventListener("click", () => askDiscard(true));
  byId("discard-no").addEventListener("click", () => askDiscard(false));
  onTap(byId("discard-yes"), () => {
    askDiscard(false);
    return discard(stuck().map((item) => item.event_id)).then(() => changed(false));
  }, failed);
  byId("download").addEventListener("click", download);
}

function askDiscard(asking) {
  show(byId("discard-sure"), asking);
  show(byId("discard-ask"), !asking);
}

function mine(items) {
  const own = view.kept.device && view.kept.device.site ? view.kept.device.site.code.toLowerCase() : null;
  return items.filter((item) => item.site.toLowerCase() === own);
}

function stuck() {
  return mine(view.kept.queue).filter((item) => item.problem !== null);
}

/** Bring both lists up to date. */
export function render(current) {
  view = current;
  const zone = view.zone;
  const problems = stuck();
  show(byId("undelivered"), problems.length > 0);
  fill(byId("undelivered-items"), problems.map((item) =>
    make("li", null,
      make("b", null, told(item.body)),
      " · " + clock(item.body.observed_at, zone) + " · ",
      make("bdi", null, note(item.problem)),
    ),
  ));
  const receipts = mine(view.kept.receipts);
  show(byId("messages"), receipts.length > 0);
  write(byId("messages-count"), String(receipts.length));
  const held = view.kept.site ? view.kept.site.held : [];
  fill(byId("messages-items"), receipts.slice(-SHOWN).reverse().map((receipt) => {
    const found = fate(receipt, held, zone);
    const what = make("b", null, told(receipt.body));
    const line = make("span", { class: "proof " + found.tone }, found.text);
    return make("li", null, what, " · ", make("bdi", null, receipt.body.conference), line);
  }));
  show(byId("messages-more"), receipts.length > SHOWN);
}

// The file holds for each event what was sent and the signed receipt, which `bridgemgr receipt verify` reads.
function download() {
  const items = mine(view.kept.receipts).map((item) => ({
    event: item.body,
    verdict: item.verdict,
    note: item.note,
    receipt: item.receipt,
  }));
  const link = make("a", { download: say("file_name") + "-" + view.kept.device.site.code + ".json" });
  link.href = URL.createObjectURL(new Blob([JSON.stringify({ items }, null, 1)], { type: "application/json" }));
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60 * 1000);
}

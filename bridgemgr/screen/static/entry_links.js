// Says on the board how many sites wait to be admitted. They are no bridges yet, so the board's stream knows none of them.

const EVERY_MS = 20_000;
const link = document.getElementById("held");
const plain = link.textContent;

async function renew() {
  if (document.hidden) return;
  const answer = await fetch(link.dataset.count, { headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected) return; // the board itself says when it is no longer live
  const { count, text } = await answer.json();
  link.classList.toggle("waits", count > 0);
  const wanted = count > 0 ? text : plain;
  if (link.textContent !== wanted) link.textContent = wanted;
}

renew().catch(() => {});
setInterval(() => renew().catch(() => {}), EVERY_MS);
document.addEventListener("visibilitychange", () => renew().catch(() => {}));

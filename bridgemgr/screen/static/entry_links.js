// Says on the board how many sites wait to be admitted. They are no bridges yet, so the board's stream knows none of them.

const EVERY_MS = 20_000;

async function renew() {
  const link = document.getElementById("held"); // looked up anew: the board replaces itself in place
  if (document.hidden || !link) return;
  const answer = await fetch(link.dataset.count, { headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected) return; // the board itself says when it is no longer live
  const { count, text } = await answer.json();
  link.dataset.plain ??= link.textContent;
  link.classList.toggle("waits", count > 0);
  const wanted = count > 0 ? text : link.dataset.plain;
  if (link.textContent !== wanted) link.textContent = wanted;
}

renew().catch(() => {});
setInterval(() => renew().catch(() => {}), EVERY_MS);
document.addEventListener("visibilitychange", () => renew().catch(() => {}));
document.addEventListener("board", () => renew().catch(() => {}));

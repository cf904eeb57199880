// Takes the first page anew every half minute while somebody looks at it.

const EVERY_MS = 30_000;

async function renew() {
  if (document.hidden || document.activeElement?.closest("#today")) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (answer.redirected) {
    location.reload();
    return;
  }
  if (!answer.ok) return; // the page says of what time it is
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["today", "as-of"]) {
    document.getElementById(id).replaceWith(fresh.getElementById(id));
  }
}

setInterval(() => renew().catch(() => {}), EVERY_MS);
document.addEventListener("visibilitychange", () => renew().catch(() => {}));

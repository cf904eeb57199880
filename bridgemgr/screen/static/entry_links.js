// Says on the board how many sites wait to be admitted, and how many lines are in trouble of how many causes. Neither
// are bridges, so the board's stream knows none of them.

const EVERY_MS = 20_000;

async function renewOne(link) {
  const answer = await fetch(link.dataset.count, { headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected) return; // the board itself says when it is no longer live
  const { count, text } = await answer.json();
  link.dataset.plain ??= link.textContent;
  link.classList.toggle("waits", count > 0);
  const wanted = count > 0 ? text : link.dataset.plain;
  if (link.textContent !== wanted) link.textContent = wanted;
}

async function renew() {
  if (document.hidden) return;
  const links = document.querySelectorAll("a[data-count]"); // looked up anew: the board replaces itself in place
  await Promise.allSettled([...links].map(renewOne));
}

renew();
setInterval(renew, EVERY_MS);
document.addEventListener("visibilitychange", renew);
document.addEventListener("board", renew);

// Keeps a page fresh that the server renders as a whole: fetches its own address, and takes over what changed.
// A part is an element with data-fresh="its name", unique in the page. Parts may lie in one another: then the
// inner ones are taken singly, unless the outer one itself became another.

const EVERY_MS = 15_000;
const SHARE = 20; // a page that takes long to make is asked for seldom: at most a twentieth of the time
const PATIENCE_MS = 30_000;
const CATCH_UP_MS = 1_000; // a part is not to be replaced between the press and the release of a button
const GONE = [401, 403, 404]; // signed out, or not to be seen any more
const PART = "[data-fresh]";

const sign = document.getElementById("sign");
const said = document.getElementById("sign-said");
const known = new Map(); // by name what the server last sent: what the reader unfolded or typed is no change
let summary = document.getElementById("sign-summary").innerHTML;
let latest = null;
let asking = null;
let timer = 0;

/** What a part is apart from the parts within. */
function shape(part) {
  const copy = part.cloneNode(true);
  for (const inner of copy.querySelectorAll(PART)) inner.replaceWith(inner.dataset.fresh);
  return copy.outerHTML;
}

function learn(part) {
  known.set(part.dataset.fresh, shape(part));
}

function changed(field) {
  if (field.type === "hidden") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
  const preset = [...field.options].findIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(preset, 0);
}

const halfFilled = (root) => [...root.querySelectorAll("input, select, textarea")].some(changed);

/** Whether the reader is at work in a part: the focus, half a form, or a telephone number being copied. */
function occupied(part) {
  const chosen = getSelection();
  const copied = !chosen.isCollapsed && part.contains(chosen.anchorNode) && part.contains(chosen.focusNode);
  return copied || part.contains(document.activeElement) || halfFilled(part);
}

function replace(part, news) {
  const copy = document.importNode(news, true);
  for (const fold of copy.querySelectorAll("details[id]")) {
    const before = document.getElementById(fold.id);
    if (before) fold.open = before.open;
  }
  part.replaceWith(copy);
  for (const each of [news, ...news.querySelectorAll(PART)]) learn(each);
}

/** The outermost parts that became others and may be replaced, each with its successor. */
function outdated(within, news) {
  const outer = within.closest(PART);
  const parts = [...within.querySelectorAll(PART)].filter((part) => part.parentElement.closest(PART) === outer);
  return parts.flatMap((part) => {
    const name = part.dataset.fresh;
    const fresh = news.get(name);
    if (!fresh) return [];
    if (shape(fresh) === known.get(name)) return outdated(part, news);
    return occupied(part) ? [] : [[part, fresh]];
  });
}

/** What the reader looks at stays where it is, however much is inserted above it. */
function steadily(change) {
  const parts = scrollY > 0 ? [...document.querySelectorAll(PART)] : [];
  const seen = parts.find((part) => !part.querySelector(PART) && part.getBoundingClientRect().bottom > 0);
  const before = seen?.getBoundingClientRect().top;
  change();
  const after = seen && document.querySelector(`[data-fresh="${CSS.escape(seen.dataset.fresh)}"]`);
  if (after) scrollBy({ top: after.getBoundingClientRect().top - before, behavior: "instant" });
}

function take() {
  const news = new Map([...latest.querySelectorAll(PART)].map((part) => [part.dataset.fresh, part]));
  // Judged before any is replaced: afterwards each look at the selection costs a layout, 3 s for 700 rows.
  const pairs = outdated(document.body, news);
  steadily(() => pairs.forEach(([part, fresh]) => replace(part, fresh)));
}

function mark(state, text) {
  sign.dataset.state = state;
  sign.firstElementChild.textContent = text;
}

function live(fresh) {
  const news = latest.getElementById("sign-summary");
  if (sign.dataset.state === "lost" || news.innerHTML !== summary) {
    summary = news.innerHTML;
    said.replaceChildren(document.importNode(news.content, true));
  }
  sign.dataset.lost = fresh.dataset.lost;
  mark("live", fresh.textContent);
}

function lose() {
  if (sign.dataset.state === "lost") return;
  mark("lost", sign.dataset.lost);
  said.textContent = sign.dataset.lost;
}

/** The page is not to be had any more: its address says why. Not by reload(), which would send a form again. */
function leave() {
  if (halfFilled(document)) lose();
  else location.replace(location.pathname + location.search);
}

function receive(answer, text) {
  if (answer.redirected || GONE.includes(answer.status)) {
    leave();
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.getElementById("sign");
  if (!answer.ok || !fresh) throw new Error(String(answer.status));
  latest = page;
  take();
  live(fresh);
}

async function look() {
  clearTimeout(timer);
  asking?.abort();
  if (document.hidden) return;
  const mine = new AbortController();
  asking = mine;
  const limit = setTimeout(() => mine.abort(), PATIENCE_MS);
  const began = performance.now();
  let next = EVERY_MS;
  try {
    const address = location.pathname + location.search;
    const answer = await fetch(address, { headers: { Accept: "text/html" }, signal: mine.signal });
    next = Math.max(EVERY_MS, SHARE * (performance.now() - began)); // the server has made all of it by now
    const text = await answer.text();
    if (mine === asking) receive(answer, text);
  } catch {
    if (mine === asking) lose();
  }
  clearTimeout(limit);
  if (mine === asking) timer = setTimeout(look, next);
}

function rest() {
  clearTimeout(timer);
  asking?.abort();
  asking = null;
}

document.documentElement.style.overflowAnchor = "none"; // the browser would correct what is corrected here
for (const part of document.querySelectorAll(PART)) learn(part);
document.addEventListener("visibilitychange", () => (document.hidden ? rest() : look()));
document.addEventListener("focusout", () => setTimeout(() => latest && take(), CATCH_UP_MS));
if (!document.hidden) timer = setTimeout(look, EVERY_MS);

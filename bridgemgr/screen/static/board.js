// Puts what the stream brings into the board that the server rendered.

import { foldAll } from "./areas.js";
import { runClock, timeIn } from "./clock.js";
import { follow } from "./live.js";

const RETRY_MS = 3_000;
const REFRESH_SPREAD_MS = 1_000; // everybody who watches hears of a change in the same moment
let cells = new Map();
let areas = new Map();
let versions = new Map(); // by site; a snapshot that was overtaken must not turn a cell back
let partsVersion = 0;
let refreshing = 0;

const byId = (id) => document.getElementById(id);

function index() {
  cells = new Map([...document.querySelectorAll(".cell")].map((cell) => [cell.dataset.site, cell]));
  areas = new Map([...document.querySelectorAll(".area")].map((area) => [area.dataset.area, area]));
  versions = new Map();
  partsVersion = 0;
  foldAll();
  runClock();
}

/** Replaces an element's content and keeps the focus where it was, if that is still there. */
function swap(element, html) {
  const focused = element.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  element.innerHTML = html; // rendered and escaped by our own server
  if (focused) element.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
}

function takeCell(cell, version) {
  if (version < (versions.get(cell.site) ?? 0)) return;
  versions.set(cell.site, version);
  const element = cells.get(cell.site);
  element.className = `cell ${cell.state}`;
  element.dataset.shows = cell.shows;
  const label = element.querySelector(".label");
  if (label.textContent !== cell.label) label.textContent = cell.label;
}

function take(news, whole) {
  const strange = news.cells.some((cell) => !cells.has(cell.site)) || (whole && news.cells.length !== cells.size);
  if (strange || news.status !== byId("board").dataset.status) {
    refresh();
    return;
  }
  for (const cell of news.cells) takeCell(cell, news.version);
  if (news.version < partsVersion) return;
  partsVersion = news.version;
  for (const part of ["figures", "calls"]) if (part in news && byId(part)) swap(byId(part), news[part]);
  for (const [show, count] of Object.entries(news.counts ?? {})) {
    document.querySelector(`[data-count="${show}"]`).textContent = count;
  }
  for (const { key, tally, troubled } of news.areas) {
    const area = areas.get(key);
    area.querySelector(".tally").textContent = tally;
    if (area.classList.contains("troubled") === troubled) continue;
    area.classList.toggle("troubled", troubled);
    if (troubled) area.open = true; // one that is well again stays as it is under the reader's eyes
  }
}

/** The list of bridges or the conference itself changed: take the whole page anew, in its place. */
function refresh(after = 0) {
  clearTimeout(refreshing);
  refreshing = setTimeout(async () => {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (answer.redirected || !answer.ok || !fresh.getElementById("board")) {
        location.reload();
        return;
      }
      const sign = byId("sign");
      fresh.getElementById("sign").replaceWith(sign);
      byId("title").replaceWith(fresh.getElementById("title"));
      byId("board").replaceWith(fresh.getElementById("board"));
      index();
      document.dispatchEvent(new Event("board"));
    } catch {
      refresh(RETRY_MS);
    }
  }, after + Math.random() * REFRESH_SPREAD_MS);
}

function state(name, since) {
  const sign = byId("sign");
  const text = sign.dataset[name].replace("{time}", timeIn(sign.dataset.zone, since));
  if (name === "joining" && sign.dataset.state === "lost") return; // "not live since" stays until it is live
  sign.dataset.state = name;
  if (sign.firstElementChild.textContent !== text) sign.firstElementChild.textContent = text;
}

index();
const { events, snapshot } = byId("board").dataset;
follow({ events, snapshot }, { take, refresh: () => refresh(), state });

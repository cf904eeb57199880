// On a phone the areas in no trouble are folded, so that what needs a hand is not 30 screens down.

const narrow = matchMedia("(max-width: 40rem)");
const chosen = new Map(); // by area what the reader wants, which outlives a page taken anew in its place

const all = () => document.querySelectorAll("details.area");

/** Folds or opens an area as the screen, its trouble and the reader want it. */
function fold(area) {
  const folds = narrow.matches && document.getElementById("board").dataset.show === "all" && all().length > 1;
  area.open = chosen.get(area.dataset.area) ?? (!folds || area.matches(".troubled, .named"));
}

/** Folds every area; to be called again when the board was replaced. */
export function foldAll() {
  for (const area of all()) {
    const summary = area.querySelector("summary");
    if (narrow.matches) summary.removeAttribute("tabindex");
    else summary.tabIndex = -1; // nothing to fold where there is room: no stops for the keyboard
    fold(area);
  }
}

document.addEventListener("click", (event) => {
  const summary = event.target.closest?.("details.area > summary");
  if (!summary) return;
  // A click is also what the keyboard makes; the area turns only after it.
  if (narrow.matches) chosen.set(summary.parentElement.dataset.area, !summary.parentElement.open);
  else event.preventDefault();
});
narrow.addEventListener("change", () => {
  chosen.clear();
  foldAll();
});

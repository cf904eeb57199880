// The button is of no use where there are no scripts, so it shows itself.
const button = document.getElementById("print");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

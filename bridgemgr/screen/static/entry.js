// For quick hands: a form is sent once, what is typed before the next page is there goes nowhere, and what was
// wrong is selected, so that typing replaces it. The server counts a form once however often it comes.

const forms = document.querySelectorAll("form[data-once]");

for (const form of forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    document.activeElement?.blur();
  });
}
window.addEventListener("pageshow", () => {
  for (const form of forms) delete form.dataset.sent; // going back shows the page as it was left
});

const first = document.querySelector("[autofocus]");
if (first?.value) first.select();

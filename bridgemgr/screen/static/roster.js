// One tick for all that are shown. Without scripts it stays away, and every row can be ticked by itself.
const all = document.getElementById("all");
if (all) {
  const each = [...document.querySelectorAll('input[name="chosen"]')];
  const tell = () => {
    const chosen = each.filter((box) => box.checked).length;
    all.checked = chosen === each.length;
    all.indeterminate = chosen > 0 && chosen < each.length;
  };
  all.closest("label").hidden = false;
  all.addEventListener("change", () => each.forEach((box) => { box.checked = all.checked; }));
  document.getElementById("marks").addEventListener("change", tell);
  tell();
}

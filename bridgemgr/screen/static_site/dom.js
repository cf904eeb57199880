// Small helpers over the document; everything that comes from data goes in as text, never as markup.

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Show or hide an element. */
export function show(element, visible) {
  element.hidden = !visible;
}

/** Set a text only where it differs, so that a screen reader is not told the same again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A new element.
 * @param {string} tag name of the element
 * @param {object} attributes by name; true sets an empty one, false and null none
 * @param {...(Node|string)} children
 */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  Object.keys(attributes || {}).forEach((name) => {
    const value = attributes[name];
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  });
  children.forEach((child) => element.append(child));
  return element;
}

/** Put these children in place of all that an element holds. */
export function fill(element, children) {
  while (element.firstChild) element.removeChild(element.firstChild);
  children.forEach((child) => element.append(child));
}

/** Run `action` at most once at a time; the button is busy meanwhile. A failure goes to `failed`. */
export function onTap(button, action, failed) {
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    Promise.resolve()
      .then(action)
      .catch(failed)
      .then(() => button.removeAttribute("aria-busy"));
  });
}

// The page's texts in the reader's language, which the server put beside the markup.

const { words, notes } = JSON.parse(document.getElementById("words").textContent);

/** A text by its key, its {names} filled. */
export function say(key, values) {
  if (words[key] === undefined) throw new Error("there is no text " + key);
  const given = values || {};
  return words[key].replace(/\{(\w+)\}/g, (_all, name) => String(given[name]));
}

/** A text that counts: `<key>_one` for one, `<key>_many` otherwise; {count} is filled. */
export function count(key, number, values) {
  const all = Object.assign({ count: digits(number) }, values);
  return say(key + (number === 1 ? "_one" : "_many"), all);
}

/** A remark of the service in the reader's language where it is known; else as it is. */
export function note(text) {
  return notes[text] || text;
}

/** A whole number with the reader's group separators. */
export function digits(number) {
  return new Intl.NumberFormat(language()).format(number);
}

/** The page's language: vi, en or ur. */
export function language() {
  return document.documentElement.lang;
}

// Who this device speaks for: enrolment, the credential, what the service says of the site, and signing out.

import { got, transact } from "./database.js";
import { instant } from "./times.js";

const CODE = /bmg_enrol_[0-9]{1,18}_[0-9A-Za-z]{32}[0-9a-f]{8}/;
const TIMEOUT_MS = 45 * 1000;
const FAREWELL_MS = 15 * 1000;

/** CRC-32 (ISO 3309), by which the codes show that they were mistyped. */
function checksum(text) {
  let crc = -1;
  for (let at = 0; at < text.length; at += 1) {
    crc ^= text.charCodeAt(at);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ("0000000" + ((crc ^ -1) >>> 0).toString(16)).slice(-8);
}

/** The enrolment code in a text, be it a whole link; null where there is none or it is mistyped. */
export function findCode(text) {
  const found = CODE.exec(text.replace(/\s+/g, ""));
  if (found === null) return null;
  return checksum(found[0].slice(0, -8)) === found[0].slice(-8) ? found[0] : null;
}

/**
 * Ask the service.
 * @param {number} patience milliseconds until it counts as silent
 * @returns {Promise<{status: number, body: object|null, retryAfter: number, heard: Date|null}>} status 0: no answer
 *   that can be read, be it for want of a network or because something in between answered for the service
 */
export function ask(method, path, credential, body, patience = TIMEOUT_MS) {
  const headers = { Accept: "application/json" };
  if (credential) headers.Authorization = "Bearer " + credential;
  if (body) headers["Content-Type"] = "application/json";
  const breaker = new AbortController();
  const timer = setTimeout(() => breaker.abort(), patience);
  const options = { method, headers, credentials: "omit", cache: "no-store", signal: breaker.signal };
  if (body) options.body = body;
  const silence = { status: 0, body: null, retryAfter: 0 };
  return fetch(path, options)
    .then((response) => {
      const kind = response.headers.get("Content-Type") || "";
      if (kind.indexOf("json") < 0) return silence;
      const retryAfter = Number(response.headers.get("Retry-After")) || 0;
      const readable = (read) => read !== null && typeof read === "object";
      const { status } = response;
      return response.json().then((read) => (readable(read) ? { status, body: read, retryAfter } : silence));
    })
    .catch(() => silence)
    .then((answer) => {
      clearTimeout(timer);
      return answer;
    });
}

/** Turn an enrolment code into this device's credential; resolves to the answer, as `ask` does. */
export function enrol(code, name) {
  const body = JSON.stringify({ code, name, source: "page" });
  return ask("POST", "/api/v1/enrolments", null, body).then((answer) => {
    if (answer.status !== 201) return answer;
    const device = { credential: answer.body.credential, name, site: null };
    return transact(["settings", "queue"], "readwrite", ({ settings, queue }) => {
      settings.put(device, "device");
      settings.delete("site");
      got(queue.count(), (waiting) => {
        // A device's numbers begin at 1. While events of the device before wait, the numbers go on: what is
        // said later must not look earlier than those.
        if (waiting === 0) settings.put(0, "seq");
      });
    }).then(() => answer);
  });
}

/**
 * Ask what the service knows of the site, and keep it for when there is no network.
 * @returns {Promise<number>} the answer's status
 */
export function hear(device) {
  const asked = Date.now();
  return ask("GET", "/api/v1/site", device.credential, null).then((answer) => {
    if (answer.status !== 200) return answer.status;
    const heard = Date.now();
    const offset = instant(answer.body.now) - (asked + heard) / 2;
    return transact(["settings"], "readwrite", ({ settings }) => {
      got(settings.get("device"), (current) => {
        // Meanwhile another tab may have signed out, or signed in for another site.
        if (!current || current.credential !== device.credential) return;
        settings.put(Object.assign(current, { site: answer.body.site }), "device");
        settings.put(Object.assign(answer.body, { heard, offset }), "site");
      });
    }).then(() => answer.status);
  });
}

/** Remove credential and names from this device. Events that wait stay: they hold numbers, no names. */
export function signOut() {
  return transact(["settings"], "readwrite", ({ settings }) => {
    settings.delete("device");
    settings.delete("site");
  });
}

/** Have the service revoke a credential; resolves to whether it is known to be worth nothing now. */
export function giveBack(credential) {
  return ask("DELETE", "/api/v1/enrolments/own", credential, null, FAREWELL_MS).then(
    ({ status }) => status === 200 || status === 401,
  );
}

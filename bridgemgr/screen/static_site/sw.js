// Opens the site's page without a network. VERSION, SHELLS and FILES are written above this line by the service.

const NAME = "bridgemgr-site-" + VERSION;
const LANGUAGE = "bridgemgr-site-language";

// Without credentials: what is kept is the same for everybody.
async function take(cache, address) {
  const response = await fetch(address, { credentials: "omit" });
  if (!response.ok) throw new Error(address + ": " + response.status);
  await cache.put(address, response);
}

async function install() {
  const cache = await caches.open(NAME);
  const addresses = FILES.concat(Object.keys(SHELLS).map((language) => SHELLS[language]));
  await Promise.all(addresses.map((address) => take(cache, address)));
  await self.skipWaiting(); // nothing of the old version is asked for again: a page loads all it has at once
}

async function activate() {
  const names = await caches.keys();
  const old = names.filter((name) => name.indexOf("bridgemgr-site-") === 0 && name !== NAME && name !== LANGUAGE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function lastLanguage() {
  const cache = await caches.open(LANGUAGE);
  const kept = await cache.match("/s/language");
  return kept ? kept.text() : "";
}

async function remember(language) {
  const cache = await caches.open(LANGUAGE);
  await cache.put("/s/language", new Response(language));
  return language;
}

async function shell(request) {
  const asked = new URL(request.url).searchParams.get("lang");
  const language = SHELLS[asked] ? await remember(asked) : await lastLanguage();
  const cache = await caches.open(NAME);
  const kept = await cache.match(SHELLS[language] || SHELLS.vi, { ignoreVary: true });
  return kept || fetch(request);
}

async function file(request) {
  const cache = await caches.open(NAME);
  return (await cache.match(request, { ignoreVary: true })) || fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = new URL(request.url).pathname;
  if (request.method !== "GET") return;
  if (request.mode === "navigate" && path === "/s/") event.respondWith(shell(request));
  else if (FILES.indexOf(path) >= 0) event.respondWith(file(request));
});

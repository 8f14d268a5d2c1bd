// Keeps the page of one door for a time without network. It looks at that page and at static files it asks for, at nothing else.
"use strict";
const PAGE = new URL(self.registration.scope).pathname;
const PATIENCE = 4000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// The list goes. What was scanned stays until somebody signs in again and it is sent: it happened.
const forget = async () => {
  for (const { name } of await indexedDB.databases()) {
    if (!name.startsWith("door-")) continue;
    const opening = indexedDB.open(name);
    opening.onsuccess = () => opening.result.transaction("kept", "readwrite").objectStore("kept").delete("list");
  }
};
const page = async (request) => {
  const kept = await caches.open("door");
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE) });
    // Signed out, or no right any more: nothing of the door stays on this device.
    if (answer.type === "opaqueredirect" || answer.redirected || [401, 403, 404].includes(answer.status)) {
      await caches.delete("door");
      await self.registration.unregister();
      await forget();
    } else if (answer.ok) await kept.put(PAGE, answer.clone());
    return answer;
  } catch (error) {
    const found = await kept.match(PAGE);
    if (found) return found;
    throw error;
  }
};
const file = async (request) => (await (await caches.open("door")).match(request)) || fetch(request);

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && pathname === PAGE) event.respondWith(page(event.request));
  else if (pathname.startsWith("/static/")) event.respondWith(file(event.request));
});

// The door: the field stays ready, the camera reads, and without network the list on this device decides until there is one again.
"use strict";
(() => {
  const door = document.getElementById("door");
  const { code, nonce, way } = door.elements;
  const { event, list, merge, worker, keys, gate } = door.dataset;
  const verdict = document.getElementById("verdict");
  const network = document.getElementById("network");
  const camera = document.getElementById("camera");
  const view = document.getElementById("view");
  const inside = document.getElementById("inside");
  const FRESH = 300_000;
  const PATIENCE = 4000;

  // ---------- what this device remembers ----------

  const base = new Promise((resolve, reject) => {
    const opening = indexedDB.open("door-" + event, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("kept");
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
  const asked = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const recall = async (name, otherwise) => (await asked((await base).transaction("kept").objectStore("kept").get(name))) ?? otherwise;
  // Reading and writing in one transaction: two scans in a row must not lose each other.
  const change = async (name, otherwise, how) => {
    const kept = (await base).transaction("kept", "readwrite", { durability: "strict" }).objectStore("kept");
    const changed = how((await asked(kept.get(name))) ?? otherwise);
    await asked(kept.put(changed, name));
    return changed;
  };

  // ---------- signatures ----------

  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt());
  const isSigned = async (words, signature) => {
    for (const raw of keys.split(" ")) {
      try {
        const key = await crypto.subtle.importKey("raw", bytes(raw), "Ed25519", false, ["verify"]);
        if (await crypto.subtle.verify("Ed25519", key, bytes(signature), new TextEncoder().encode(words))) return true;
      } catch {
        // A browser without Ed25519 knows the tickets of its list and no later ones.
      }
    }
    return false;
  };
  const hashOf = async (text) => {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
    return btoa(String.fromCharCode(...digest.slice(0, 12))).replaceAll("+", "-").replaceAll("/", "_");
  };

  // ---------- a scan without network ----------

  const judge = async (typed) => {
    const { tickets = [] } = await recall("list", {});
    const text = typed.trim();
    const [, secret, signature] = text.match(/\/tickets\/([\w-]{22})(?:#([\w-]{86}))?$/) || text.match(/^([\w-]{22})$/) || [];
    const short = text.toUpperCase().replace(/^(\w{4})[- ]?(\w{4})$/, "$1-$2");
    const hash = secret && (await hashOf(secret));
    const found = tickets.find((ticket) => (secret ? ticket[0] === hash : ticket[1] === short));
    if (found) return { key: found[0], holder: found[2], entry: found[3], shown: found[1], wasIn: found[4] };
    if (signature && (await isSigned(`ticket:${event}:${secret}`, signature))) return { key: hash, holder: "", entry: "", shown: "" };
    return null;
  };
  const show = (word, ticket) => {
    verdict.replaceChildren(document.querySelector(`template[data-verdict="${word}"]`).content.cloneNode(true));
    const [first, last] = verdict.querySelectorAll("p");
    if (ticket) {
      first.textContent = [ticket.holder, ticket.entry].filter(Boolean).join(", ") || "✓";
      last.textContent = ticket.shown;
    }
    navigator.vibrate?.(word === "admit" ? 80 : [80, 60, 200]);
  };
  const scanAlone = async (typed, name) => {
    const ticket = await judge(typed);
    if (!ticket) return show("unknown");
    let isFirst;
    await change("used", {}, (used) => {
      const known = used[ticket.key] || (ticket.wasIn ? "in" : "out");
      isFirst = known !== way.value;
      return { ...used, [ticket.key]: way.value };
    });
    if (isFirst) {
      const scan = { code: typed.trim(), nonce: name, way: way.value, gate, at: new Date().toISOString() };
      await change("queue", [], (queue) => [...queue, scan]);
    }
    show(isFirst ? "admit" : "again", ticket);
    await tell();
  };

  // ---------- the way back ----------

  const tell = async () => {
    const queue = await recall("queue", []);
    const { tickets } = await recall("list", {});
    const sentence = queue.length || !navigator.onLine ? "offline" : tickets ? "ready" : "online";
    const number = sentence === "offline" ? queue.length : tickets?.length;
    const words = network.dataset[sentence].replace("§", number);
    // Said anew, the same words would be read out every time.
    if (network.textContent !== words) network.textContent = words;
  };
  const answered = async (url, sent) => {
    const headers = { "Content-Type": "application/json" };
    const body = sent && JSON.stringify(sent);
    const answer = await fetch(url, { method: sent ? "POST" : "GET", headers, body, redirect: "error", signal: AbortSignal.timeout(3 * PATIENCE) });
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
  };
  let isMerging = false;
  const bringBack = async () => {
    if (isMerging || !navigator.onLine) return tell();
    isMerging = true;
    try {
      for (let queue = await recall("queue", []); queue.length; queue = await recall("queue", [])) {
        const { results } = await answered(merge, { scans: queue.slice(0, 100) });
        const done = new Set(results.map((result) => result.nonce));
        await change("queue", [], (left) => left.filter((scan) => !done.has(scan.nonce)));
        if (results.some((result) => result.word !== "admit" && result.word !== "out")) network.dataset.conflict = "1";
        network.dataset.merged = Number(network.dataset.merged || 0) + results.length;
      }
      await takeAlong();
    } catch {
      // Still no network, or it went away again: everything is kept and tried in a moment.
    }
    isMerging = false;
    await tell();
    // The page shows what the shop knows now: numbers, and conflicts that somebody has to look at.
    if (network.dataset.merged && !code.value && !waiting.size) location.reload();
  };
  let takenAt = 0;
  const takeAlong = async () => {
    if (Date.now() < takenAt + FRESH) return;
    const { body, signature } = await answered(list);
    if (!(await isSigned("list:" + body, signature))) return;
    takenAt = Date.now();
    await change("list", {}, () => JSON.parse(body));
    // Who is in stands in the new list.
    if (!(await recall("queue", [])).length) await change("used", {}, () => ({}));
  };

  // ---------- a scan ----------

  // The codes that are being judged. The field is free at once: whoever scans fast begins the next one before this one is decided.
  const waiting = new Set();
  const free = () => {
    nonce.value = crypto.randomUUID();
    code.value = "";
    code.focus({ preventScroll: true });
  };
  const decideAlone = async (typed, name) => {
    await scanAlone(typed, name);
    waiting.delete(typed);
  };
  document.addEventListener(
    "submit",
    (submitted) => {
      if (submitted.target !== door) return;
      const typed = code.value.trim();
      // The same code, or Enter alone, while it is being judged, is no scan of its own.
      const isNew = typed ? !waiting.has(typed) : !waiting.size;
      if (isNew && typed) waiting.add(typed);
      if (isNew && navigator.onLine) return;
      submitted.preventDefault();
      submitted.stopImmediatePropagation();
      if (isNew && typed) decideAlone(typed, nonce.value);
      free();
    },
    true,
  );
  // What goes to the shop has been read from the form by now.
  document.addEventListener("htmx:config:request", ({ target }) => target === door && free());
  document.addEventListener("htmx:after:swap", async ({ target, detail }) => {
    if (target !== door) return;
    const isGood = verdict.querySelector(".verdict:not(.verdict--no, .verdict--again)");
    navigator.vibrate?.(isGood ? 80 : [80, 60, 200]);
    const ticket = isGood && (await judge(detail.ctx.request.body.get("code")));
    if (ticket) await change("used", {}, (used) => ({ ...used, [ticket.key]: way.value }));
  });
  document.addEventListener("htmx:finally:request", ({ target, detail }) => {
    if (target !== door) return;
    const { status, response, request } = detail.ctx;
    const typed = request.body.get("code").trim();
    const isJudged = !status.startsWith("error") && response?.status !== 429 && response?.status < 500;
    // The same name goes with it, so what the shop has written down already is not written twice.
    if (typed && !isJudged) decideAlone(typed, request.body.get("nonce"));
    else waiting.delete(typed);
  });
  // Whoever types anywhere types a code: hand scanners do not aim.
  document.addEventListener("keydown", ({ key, ctrlKey, metaKey, altKey }) => {
    if (document.activeElement === document.body && key.length === 1 && !ctrlKey && !metaKey && !altKey) code.focus();
  });

  // ---------- the camera ----------

  const loaded = (src) =>
    new Promise((resolve, reject) => {
      document.head.append(Object.assign(document.createElement("script"), { src, onload: resolve, onerror: reject }));
    });
  const reader = async () => {
    const formats = { formats: ["qr_code"] };
    if ((await window.BarcodeDetector?.getSupportedFormats())?.includes("qr_code")) return new BarcodeDetector(formats);
    await loaded(camera.dataset.ponyfill);
    BarcodeDetectionAPI.prepareZXingModule({ overrides: { locateFile: () => camera.dataset.wasm } });
    return new BarcodeDetectionAPI.BarcodeDetector(formats);
  };
  let stream = null;
  const watch = async () => {
    const label = camera.querySelector("span");
    const words = label.textContent;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      view.srcObject = stream;
      view.hidden = false;
      label.textContent = camera.dataset.off;
      await view.play();
      const eye = await reader();
      let last = "";
      let lastAt = 0;
      while (stream) {
        const [seen] = await eye.detect(view).catch(() => []);
        // A code that stays before the camera is one scan.
        if (seen && (seen.rawValue !== last || Date.now() > lastAt + PATIENCE)) {
          code.value = seen.rawValue;
          door.requestSubmit();
        }
        if (seen) [last, lastAt] = [seen.rawValue, Date.now()];
        await new Promise((resolve) => setTimeout(resolve, 120));
      }
    } catch {
      network.textContent = camera.dataset.failed;
    }
    for (const track of stream?.getTracks() || []) track.stop();
    stream = null;
    view.hidden = true;
    label.textContent = words;
  };
  camera.hidden = !navigator.mediaDevices?.getUserMedia;
  camera.addEventListener("click", () => {
    if (!stream) return watch();
    for (const track of stream.getTracks()) track.stop();
    stream = null;
    code.focus();
  });

  // ---------- the page itself, without network ----------

  const keepPage = async () => {
    if (!navigator.serviceWorker) return;
    const scope = location.pathname;
    await navigator.serviceWorker.register(worker, { scope });
    const kept = await caches.open("door");
    // What the page has loaded comes out of the browser's own store, so only the decoder goes over the network.
    const needed = [...document.querySelectorAll("script[src], use, link:not([rel*=icon])")];
    const files = new Set(needed.map((one) => (one.getAttribute("src") || one.getAttribute("href")).split("#")[0]));
    if (!window.BarcodeDetector) files.add(camera.dataset.ponyfill).add(camera.dataset.wasm);
    for (const file of files) if (!(await kept.match(file))) await kept.add(file);
    // A worker that looks after the page already has kept it on its way here.
    if (!navigator.serviceWorker.controller || !(await kept.match(scope))) await kept.add(scope);
  };

  addEventListener("online", bringBack);
  addEventListener("offline", tell);
  setInterval(bringBack, 15_000);
  // People see the page first; what helps without a network comes after that.
  const prepare = () => bringBack().then(() => navigator.onLine && keepPage()).catch(() => {});
  document.readyState === "complete" ? prepare() : addEventListener("load", prepare);
  document.documentElement.dataset.door = "ready";
})();

// Comfort only: every page works without this file.
(() => {
  "use strict";
  const root = document.documentElement;
  const toasts = document.getElementById("toasts");
  root.classList.add("js");

  const say = (text) => {
    const toast = document.createElement("div");
    toast.className = "toast";
    toast.textContent = text;
    toasts.append(toast);
  };

  // Whoever adds a toast, it leaves after six seconds, unless it offers something to do.
  const leave = (toast) => {
    const timer = setInterval(() => {
      if (toast.matches(":hover, :focus-within")) return;
      clearInterval(timer);
      toast.remove();
    }, 6000);
  };
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) if (node.matches?.(".toast:not([data-stay])")) leave(node);
    }
  }).observe(toasts, { childList: true });

  // The hold clock. The visitor's clock may be wrong, so every answer of the server corrects it.
  let skew = 0;
  let last = 0;
  const tick = () => {
    const hold = document.querySelector(".hold[data-until]");
    if (!hold) return;
    const left = Math.max(0, Math.ceil((Date.parse(hold.dataset.until) - Date.now() - skew) / 1000));
    hold.querySelector(".hold__clock").textContent = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
    hold.querySelector(".hold__bar i").style.scale = Math.min(1, left / hold.dataset.totalSeconds) + " 1";
    const mark = [0, 120, 300].find((seconds) => left <= seconds && seconds < last);
    if (mark !== undefined) say(hold.getAttribute("data-say-" + mark));
    last = left;
  };
  tick();
  setInterval(tick, 1000);
  addEventListener("pageshow", tick);
  document.addEventListener("htmx:after:swap", tick);

  // While somebody looks, what is left comes by itself; else htmx asks.
  let live;
  const follow = () => {
    const from = document.getElementById("availability")?.dataset.live;
    live?.close();
    live = from && !document.hidden ? new EventSource(from) : null;
    if (live) live.onmessage = ({ data }) => {
      // Whoever has typed a code since is offered something else than everybody.
      if (!document.getElementById("availability").dataset.live) return follow();
      for (const part of [...new DOMParser().parseFromString(data, "text/html").body.children]) {
        const old = document.getElementById(part.id);
        if (old && !("gone" in old.dataset) && part.dataset.gone) say(part.dataset.gone);
        old?.replaceWith(part);
      }
    };
  };
  follow();
  document.addEventListener("visibilitychange", follow);
  document.addEventListener("htmx:before:request", (event) => {
    if (live?.readyState === 1 && event.target.dataset.live) event.preventDefault();
  });

  const busy = (state) => ({ detail: { ctx } }) => ctx.target?.setAttribute?.("aria-busy", state);
  document.addEventListener("htmx:before:request", busy("true"));
  document.addEventListener("htmx:finally:request", busy("false"));

  // An error page never lands inside a page; an answer that names its own target already fits.
  document.addEventListener("htmx:before:response", (event) => {
    const { status, headers } = event.detail.ctx.response;
    const date = Date.parse(headers.get("Date"));
    if (date) skew = date - Date.now();
    if (headers.has("HX-Retarget") || (status < 500 && ![403, 404, 415, 429].includes(status))) return;
    event.preventDefault();
    say(toasts.dataset.failed);
  });
  document.addEventListener("htmx:error", ({ detail }) => detail.ctx && say(toasts.dataset.offline));

  // When what had the focus went with a swap, the nearest part around it that is still there takes it, and never the body.
  let stood = [];
  document.addEventListener("htmx:before:swap", () => {
    stood = [];
    for (let at = document.activeElement; at && at !== document.body; at = at.parentElement) if (at.id) stood.push(at.id);
  });
  document.addEventListener("htmx:after:swap", () => {
    const place = document.activeElement === document.body && stood.map((id) => document.getElementById(id)).find(Boolean);
    if (!place) return;
    if (place.tabIndex < 0) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  });

  const close = (except) => {
    for (const menu of document.querySelectorAll(".menu[open]")) if (menu !== except) menu.open = false;
  };
  document.addEventListener("keydown", ({ key }) => {
    const menu = document.querySelector(".menu[open]");
    if (key !== "Escape" || !menu) return;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    close();
  });
  document.addEventListener("click", (event) => {
    const { target } = event;
    close(target.closest(".menu"));
    const reveal = target.closest("[data-reveal]");
    if (reveal) {
      const input = document.getElementById(reveal.dataset.reveal);
      input.type = input.type === "password" ? "text" : "password";
      [reveal.textContent, reveal.dataset.other] = [reveal.dataset.other, reveal.textContent];
    }
    const share = target.closest("[data-share]");
    if (!share || !(navigator.share || navigator.clipboard)) return;
    event.preventDefault();
    const { share: url, said } = share.dataset;
    if (navigator.share) navigator.share({ title: document.title, url }).catch(() => {});
    else navigator.clipboard.writeText(url).then(() => say(said));
  });
})();

// Passkeys. The server asks and judges; this only carries its question to the device and the answer back.
"use strict";
(() => {
  const { failed } = document.getElementById("toasts").dataset;
  let asking;
  const send = async (url, body) => {
    const headers = { "Content-Type": "application/json", "HX-Request": "true" };
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    const to = answer.headers.get("HX-Redirect");
    if (to) return location.assign(to);
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw { sentence: said.sentence || failed };
    return said;
  };
  const usePasskey = async (form, mediation) => {
    const { passkey: verb } = form.dataset;
    const told = form.querySelector("[role=alert]");
    let credential;
    told.textContent = "";
    // A device answers one question at a time, and the one that waits in the address field may be as old as the page.
    asking?.abort();
    const { signal } = (asking = new AbortController());
    try {
      const options = await send(form.action + "/options", {});
      if (!options) return;
      const publicKey = PublicKeyCredential[verb === "get" ? "parseRequestOptionsFromJSON" : "parseCreationOptionsFromJSON"](options);
      credential = await navigator.credentials[verb]({ publicKey, signal, mediation });
      await send(form.action, { ...Object.fromEntries(new FormData(form)), credential });
    } catch (error) {
      if (signal.aborted || (mediation && !credential)) return;
      told.textContent = error.sentence || form.dataset[error.name === "InvalidStateError" ? "known" : "failed"];
    }
  };
  const forms = window.PublicKeyCredential?.parseRequestOptionsFromJSON ? document.querySelectorAll("[data-passkey]") : [];
  if (forms.length) for (const sentence of document.querySelectorAll("[data-no-passkeys]")) sentence.hidden = true;
  for (const form of forms) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      usePasskey(form);
    });
    if ("fills" in form.dataset) PublicKeyCredential.isConditionalMediationAvailable?.().then((can) => can && usePasskey(form, "conditional"));
  }
})();

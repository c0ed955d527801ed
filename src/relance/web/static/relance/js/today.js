// A list beside its panel: what is asked while a line loads, and what follows when one is handled.
//   #panel[data-shown]      the id of the line it tells of
//   [data-action]           a line that can be handled; its number is sent as the next one wanted
//   [data-text="key"]       a text that the server renews in the event relance:done
//   [data-position]         "2 sur 6" among the lines that can be handled · [data-print] prints
(() => {
  const narrow = () => matchMedia("(max-width: 899px)").matches;
  const panel = () => document.getElementById("panel");
  const rows = () => [...document.querySelectorAll("[data-list] [data-action]:not(.is-folding)")];
  const fromList = (element) => element?.matches?.("[data-row-link]");

  const place = () => {
    const shown = panel()?.dataset.shown;
    const line = document.getElementById(shown || "");
    const all = rows().filter((row) => row.parentElement === line?.parentElement);
    const at = all.indexOf(line);
    const words = panel()?.querySelector("[data-position]");
    if (words) words.textContent = at < 0 ? "" : `${at + 1}\u00a0${words.dataset.position}\u00a0${all.length}`;
    const keys = panel()?.querySelector("[data-keys]");
    if (keys) keys.hidden = !document.querySelector("[data-list]");
    for (const hint of document.querySelectorAll("[data-when-empty]")) hint.hidden = hint.closest("section").querySelector("[data-action]:not(.is-folding)") !== null;
  };
  const select = (row, focus) => {
    for (const other of document.querySelectorAll("[data-list] [data-row].is-selected")) other.classList.remove("is-selected");
    for (const link of document.querySelectorAll("[data-list] [data-row-link][aria-current]")) link.removeAttribute("aria-current");
    if (!row) return;
    row.classList.add("is-selected");
    const link = row.querySelector("[data-row-link]");
    link?.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
    if (focus) link?.focus({ preventScroll: true });
  };

  // A panel that is a page of its own, without its list, works as plain links and forms.
  if (!document.querySelector("[data-list]")) {
    for (const element of document.querySelectorAll("#panel :is([hx-get], [hx-post])")) {
      element.removeAttribute("hx-get");
      element.removeAttribute("hx-post");
    }
  }
  // On a phone the panel is its own page: the link is simply followed.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const from = event.detail.elt;
    if (!fromList(from)) return;
    if (narrow()) { event.preventDefault(); location.assign(from.href); return; }
    panel()?.classList.add("is-loading");
  });
  // While another line is on its way to the panel, no key may act on the one still shown.
  document.addEventListener("keydown", (event) => {
    if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) return;
    if ("jkz/?".includes(event.key)) return;
    if (panel()?.classList.contains("is-loading") && !event.target.closest("input, textarea, select")) event.preventDefault();
  }, true);
  // Ctrl+Enter sends what one is writing in the panel.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form && panel()?.contains(event.target)) {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
  });
  // A handled line asks for the one that follows it here, else the one before.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "post" || !panel()?.contains(event.detail.elt)) return;
    const all = rows();
    const at = all.findIndex((row) => row.id === panel().dataset.shown);
    const next = at < 0 ? null : all[at + 1] || all[at - 1];
    event.detail.parameters.next = next ? next.dataset.action : "";
  });
  document.addEventListener("relance:done", (event) => {
    const { row, texts, nav } = event.detail;
    for (const [key, text] of Object.entries(texts || {})) {
      for (const element of document.querySelectorAll(`[data-text="${CSS.escape(key)}"]`)) element.textContent = text;
    }
    for (const [address, count] of Object.entries(nav || {})) {
      const place = document.querySelector(`.nav-item[href="${CSS.escape(address)}"] .nav-count`);
      if (place) place.textContent = count === "0" ? "" : count;
    }
    const line = document.getElementById(row);
    if (line) {
      line.classList.add("is-folding");
      setTimeout(() => { line.remove(); place(); }, 180);
    }
    requestAnimationFrame(() => select(document.getElementById(panel()?.dataset.shown || ""), true));
  });
  document.addEventListener("htmx:afterSwap", () => place());
  // An answer that is a whole page (one's session has ended) replaces the page, not the panel.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (new URL(event.detail.xhr.responseURL || location.href).pathname.startsWith("/connexion")) {
      event.detail.shouldSwap = false;
      location.reload();
    }
  });
  for (const kind of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(kind, () => {
      const said = document.getElementById("panel-lost");
      const body = panel()?.querySelector(".panel-body");
      panel()?.classList.remove("is-loading");
      if (said && body && !body.querySelector("[data-lost]")) {
        const note = said.content.firstElementChild.cloneNode(true);
        note.dataset.lost = "";
        body.prepend(note);
      }
    });
  }
  document.addEventListener("click", (event) => { if (event.target.closest("[data-print]")) print(); });
  document.addEventListener("DOMContentLoaded", place);
})();

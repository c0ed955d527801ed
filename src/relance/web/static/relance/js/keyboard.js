// The keyboard of a page is what the page declares:
//   data-key="e"           pressing it clicks the element (or focuses it, if one types in it)
//   data-key-label="…"     its line in the help; without it, its own text
//   data-list              rows marked data-row; j and k move is-selected from one to the next
//   data-row-link          the link of a row that opens it; clicked on a move when the list
//                          says data-list="open"
// Never while someone types, and never with Ctrl, Alt or Meta.
(() => {
  const KEY = "relance-keys";
  const enabled = () => { try { return localStorage.getItem(KEY) !== "off"; } catch { return true; } };
  const TYPING = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable=true]";
  const reachable = (element) => element.getClientRects().length > 0 && !element.disabled;
  const scope = () => [...document.querySelectorAll("dialog[open]")].pop() || document;
  const find = (key) => [...scope().querySelectorAll("[data-key]")].find((el) => el.dataset.key === key && reachable(el));

  const mark = (row) => {
    const list = row.closest("[data-list]");
    for (const other of list.querySelectorAll("[data-row].is-selected")) other.classList.remove("is-selected");
    row.classList.add("is-selected");
    for (const link of list.querySelectorAll("[data-row-link][aria-current]")) link.removeAttribute("aria-current");
    row.querySelector("[data-row-link]")?.setAttribute("aria-current", "true");
  };
  const move = (step) => {
    const list = scope().querySelector("[data-list]");
    if (!list) return false;
    const rows = [...list.querySelectorAll("[data-row]")].filter(reachable);
    if (!rows.length) return false;
    const at = rows.findIndex((row) => row.classList.contains("is-selected"));
    const next = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))];
    mark(next);
    const link = next.querySelector("[data-row-link]") || next.querySelector("a, button, input");
    link?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
    if (list.dataset.list === "open" && link && at !== rows.indexOf(next)) link.click();
    return true;
  };
  const help = () => {
    const dialog = document.getElementById("help");
    const keys = dialog?.querySelector("[data-help-keys]");
    if (!keys || dialog.open) return;
    const lines = new Map();
    if (document.querySelector("[data-list]")) { lines.set("j", keys.dataset.next); lines.set("k", keys.dataset.previous); }
    for (const el of document.querySelectorAll("[data-key]")) {
      if (reachable(el) && !lines.has(el.dataset.key)) {
        const own = el.cloneNode(true);
        for (const hint of own.querySelectorAll("kbd, svg")) hint.remove();
        lines.set(el.dataset.key, el.dataset.keyLabel || el.getAttribute("aria-label") || el.placeholder || own.textContent.trim());
      }
    }
    lines.set("?", keys.dataset.help);
    lines.set("Échap", keys.dataset.escape);
    keys.replaceChildren(...[...lines].flatMap(([key, label]) => {
      const term = document.createElement("dt");
      const frame = document.createElement("kbd");
      const text = document.createElement("dd");
      frame.textContent = key;
      text.textContent = label;
      term.append(frame);
      return [term, text];
    }));
    dialog.showModal();
  };

  document.addEventListener("relance:help", help);
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.(TYPING)) {
      if (event.key === "Escape" && event.target.dataset.key) event.target.blur();
      return;
    }
    if (event.key === "Escape") {
      const close = find("Escape");
      if (close && !document.querySelector("dialog[open]")) { event.preventDefault(); close.click(); }
      return;
    }
    if (!enabled()) return;
    if (event.key === "?") { event.preventDefault(); help(); return; }
    const element = find(event.key);
    if (element) {
      event.preventDefault();
      if (element.matches(TYPING)) { element.focus(); element.select?.(); } else { element.click(); }
    } else if ((event.key === "j" || event.key === "k") && move(event.key === "j" ? 1 : -1)) {
      event.preventDefault();
    }
  });
  // A click on a row selects it too, so that mouse and keyboard agree.
  document.addEventListener("click", (event) => {
    const row = event.target.closest("[data-list] [data-row]");
    if (!row) return;
    if (event.target.closest("[data-row-link]")) mark(row);
    else if (!event.target.closest("a, button, input, label, select, summary")) row.querySelector("[data-row-link]")?.click();
  });
  // The magnifier of the phone bar opens the field; the fragment alone does not put one in it.
  document.addEventListener("click", (event) => {
    if (event.target.closest('a[href="#search"]')) setTimeout(() => document.querySelector("#search input")?.focus());
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-keys-switch]")) return;
    try { localStorage.setItem(KEY, event.target.checked ? "on" : "off"); } catch { /* this visit only */ }
  });
  document.addEventListener("DOMContentLoaded", () => {
    for (const box of document.querySelectorAll("[data-keys-switch]")) box.checked = enabled();
    // The work column scrolls on its own: give it the keys for paging from the start.
    if (document.activeElement === document.body) document.getElementById("main")?.querySelector("[data-work]")?.focus?.({ preventScroll: true });
  });
})();

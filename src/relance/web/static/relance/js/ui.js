// Windows, menus, toasts, drop zones: small behaviours, all declared by attributes.
//   data-dialog="id" opens a window · data-close closes it · data-menu a <details> menu
//   data-toast, data-seconds="10" a toast that leaves by itself; data-countdown its seconds
//   data-submit-on-change sends its form · data-drop shows the name of the chosen file
//   data-confirm-window="id" shows that window instead of sending the form at once
(() => {
  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) if (menu !== except) menu.open = false;
  };

  document.addEventListener("click", (event) => {
    const menu = event.target.closest("details[data-menu]");
    closeMenus(menu);
    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      closeMenus();
      if (opener.dataset.dialog === "help") document.dispatchEvent(new CustomEvent("relance:help"));
      const dialog = document.getElementById(opener.dataset.dialog);
      if (dialog && !dialog.open) dialog.showModal();
    }
    const closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog")?.close();
    if (event.target.matches?.("dialog.window")) event.target.close();
    const gone = event.target.closest("[data-toast-close]");
    if (gone) leave(gone.closest("[data-toast]"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details[data-menu][open]");
    if (open) { open.open = false; open.querySelector("summary")?.focus(); event.preventDefault(); }
  }, true);
  // A window that the server sends with data-open shows itself when it arrives.
  const showWindows = (root) => {
    for (const dialog of root.querySelectorAll?.("dialog[data-open]") || []) if (!dialog.open) dialog.showModal();
  };

  const leave = (toast) => {
    if (!toast) return;
    toast.classList.add("is-leaving");
    setTimeout(() => toast.remove(), 200);
  };
  const startToasts = (root) => {
    for (const toast of root.querySelectorAll?.("[data-toast]:not([data-started])") || []) {
      toast.dataset.started = "";
      const until = performance.now() + Number(toast.dataset.seconds || 10) * 1000;
      const counter = toast.querySelector("[data-countdown]");
      const timer = setInterval(() => {
        const left = Math.max(0, Math.ceil((until - performance.now()) / 1000));
        if (counter) counter.textContent = String(left);
        if (left > 0 && toast.isConnected) return;
        clearInterval(timer);
        leave(toast);
      }, 250);
    }
  };

  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-submit-on-change]")) event.target.form?.requestSubmit();
    const zone = event.target.closest("[data-drop]");
    const name = zone?.querySelector("[data-drop-name]");
    if (name && event.target.files?.length) {
      name.textContent = [...event.target.files].map((file) => file.name).join(", ");
      if (zone.dataset.drop === "submit") event.target.form?.requestSubmit();
    }
  });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => event.target.closest?.("[data-drop]")?.classList.add("is-over"));
  }
  for (const kind of ["dragleave", "drop", "dragend"]) {
    document.addEventListener(kind, (event) => event.target.closest?.("[data-drop]")?.classList.remove("is-over"));
  }

  // On a phone the current tab of a long row comes into sight; the page itself does not move.
  const showTab = () => {
    for (const row of document.querySelectorAll(".tabs")) {
      const tab = row.querySelector("[aria-current], [aria-selected='true']");
      if (tab && row.scrollWidth > row.clientWidth) row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
    }
  };

  const start = (root) => { startToasts(root); showWindows(root); };
  document.addEventListener("DOMContentLoaded", () => { start(document); showTab(); });
  document.addEventListener("htmx:load", (event) => {
    const piece = event.detail?.elt || event.target;
    start(piece.parentNode?.querySelectorAll ? piece.parentNode : piece);
  });
})();

// The panel beside a list: it goes away without leaving the list, and ticks can be cleared.
//   data-panel-close   closes #panel; without script its address shows the list alone
//   data-ticks-clear   unticks everything, then closes
(() => {
  const close = () => {
    const panel = document.getElementById("panel");
    if (!panel) return;
    const empty = document.createElement("div");
    empty.id = "panel";
    empty.hidden = true;
    panel.replaceWith(empty);
    const row = document.querySelector("[data-list] .is-selected [data-row-link]");
    for (const one of document.querySelectorAll("[data-list] .is-selected")) one.classList.remove("is-selected");
    row?.removeAttribute("aria-current");
    row?.focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => {
    const closer = event.target.closest("[data-panel-close], [data-ticks-clear]");
    if (!closer || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (closer.matches("[data-ticks-clear]")) {
      for (const box of document.querySelectorAll("[data-ticks] [data-tick]:checked")) box.checked = false;
      document.querySelector("[data-ticks] [data-tick]")?.dispatchEvent(new Event("change", { bubbles: true }));
    }
    close();
  });
})();

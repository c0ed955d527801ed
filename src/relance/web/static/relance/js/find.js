// The search of the navigation: arrows walk the results under the field, Enter opens the chosen
// one (or the page of all results), Escape closes. Focus stays in the field (a combobox).
(() => {
  const parts = (form) => ({ input: form.querySelector("input"), box: form.querySelector(".found-box") });
  const options = (box) => [...box.querySelectorAll("[role=option]")];
  const show = (form, open) => {
    const { input, box } = parts(form);
    const shown = open && box.childElementCount > 0 && input.value.trim() !== "";
    form.classList.toggle("is-open", shown);
    input.setAttribute("aria-expanded", String(shown));
    if (!shown) input.removeAttribute("aria-activedescendant");
  };
  const mark = (form, step) => {
    const { input, box } = parts(form);
    const all = options(box);
    if (!all.length) return;
    const at = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
    const next = all[(at + step + all.length + (at < 0 && step < 0 ? 1 : 0)) % all.length];
    for (const one of all) one.setAttribute("aria-selected", String(one === next));
    input.setAttribute("aria-activedescendant", next.id);
    next.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    const form = event.target.closest?.("[data-find]");
    if (!form || event.isComposing) return;
    const { box } = parts(form);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      show(form, true);
      mark(form, event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      const chosen = form.classList.contains("is-open") && box.querySelector("[aria-selected=true]");
      if (chosen) { event.preventDefault(); chosen.click(); }
    } else if (event.key === "Escape") {
      if (form.classList.contains("is-open")) event.preventDefault();
      show(form, false);
    }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const form = event.target.closest?.("[data-find]");
    if (form) show(form, true);
  });
  document.addEventListener("focusin", (event) => {
    for (const form of document.querySelectorAll("[data-find]")) show(form, form.contains(event.target));
  });
  document.addEventListener("click", (event) => {
    for (const form of document.querySelectorAll("[data-find]")) if (!form.contains(event.target)) show(form, false);
  });
})();

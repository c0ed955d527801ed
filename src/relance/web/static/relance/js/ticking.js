// Ticked lines, their count and their sum, where the action bar says what will happen.
//   data-ticks                 the scope (a form); it receives the event relance:ticks
//   data-tick-all              the box of the header: all, none or mixed
//   data-tick-group="key"      the box of a group row, over the boxes with data-group="key"
//   data-tick                  a line's box, with data-cents and, to count them, data-client
//   data-tick-count, data-tick-clients (data-one, data-many, words)   data-tick-sum (data-currency)
//   data-tick-some / data-tick-none   shown when something / nothing is ticked
//   data-tick-needs            a button that needs a ticked line; its reason stands beside it
(() => {
  const NNBSP = "\u202f", NBSP = "\u00a0";
  const number = (value) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, NNBSP);
  const money = (cents, unit) => {
    const whole = Math.floor(Math.abs(cents) / 100), rest = String(Math.abs(cents) % 100).padStart(2, "0");
    return `${cents < 0 ? "\u2212" : ""}${number(whole)},${rest}${NBSP}${unit}`;
  };
  const plural = (count) => document.documentElement.lang.startsWith("fr") ? count >= 2 : count !== 1;
  const counted = (el, count) => { el.textContent = number(count) + NBSP + (plural(count) ? el.dataset.many : el.dataset.one); };
  const set = (box, boxes) => {
    const on = boxes.filter((one) => one.checked).length;
    box.checked = boxes.length > 0 && on === boxes.length;
    box.indeterminate = on > 0 && on < boxes.length;
  };

  const refresh = (scope) => {
    const boxes = [...scope.querySelectorAll("[data-tick]:not(:disabled)")];
    const on = boxes.filter((box) => box.checked);
    for (const all of scope.querySelectorAll("[data-tick-all]")) set(all, boxes);
    for (const group of scope.querySelectorAll("[data-tick-group]")) {
      set(group, boxes.filter((box) => box.dataset.group === group.dataset.tickGroup));
    }
    for (const box of scope.querySelectorAll("[data-tick]")) box.closest("[data-row], tr")?.classList.toggle("is-ticked", box.checked);
    const clients = [...new Set(on.map((box) => box.dataset.client).filter(Boolean))];
    const sum = on.reduce((total, box) => total + Number(box.dataset.cents || 0), 0);
    for (const el of scope.querySelectorAll("[data-tick-count]")) counted(el, on.length);
    for (const el of scope.querySelectorAll("[data-tick-clients]")) counted(el, clients.length);
    for (const el of scope.querySelectorAll("[data-tick-sum]")) el.textContent = money(sum, el.dataset.currency || "€");
    for (const el of scope.querySelectorAll("[data-tick-some]")) el.hidden = on.length === 0;
    for (const el of scope.querySelectorAll("[data-tick-none]")) el.hidden = on.length > 0;
    for (const el of scope.querySelectorAll("[data-tick-needs]")) el.disabled = on.length === 0;
    return { ids: on.map((box) => box.value), clients, cents: sum };
  };

  document.addEventListener("change", (event) => {
    const box = event.target;
    const scope = box.closest?.("[data-ticks]");
    if (!scope || box.type !== "checkbox") return;
    let reach = [];
    if (box.matches("[data-tick-all]")) reach = scope.querySelectorAll("[data-tick]:not(:disabled)");
    if (box.matches("[data-tick-group]")) reach = scope.querySelectorAll(`[data-tick][data-group="${CSS.escape(box.dataset.tickGroup)}"]:not(:disabled)`);
    for (const one of reach) one.checked = box.checked;
    if (!box.matches("[data-tick-all], [data-tick-group], [data-tick]")) return;
    scope.dispatchEvent(new CustomEvent("relance:ticks", { bubbles: true, detail: refresh(scope) }));
  });
  const start = () => { for (const scope of document.querySelectorAll("[data-ticks]")) refresh(scope); };
  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("htmx:afterSettle", start);
  window.addEventListener("pageshow", start);
})();

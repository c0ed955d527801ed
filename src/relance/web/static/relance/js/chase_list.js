// À relancer: one level at a time, and the keyboard of the line chosen.
//   data-chase           the form; data-level the body of one level
//   data-chase-do        a button that acts on what is ticked, else on the line chosen with j and k
//   data-chase-tick      ticks the line chosen (x)
//   data-chase-reason    why something cannot be ticked, or done
(() => {
  const form = () => document.querySelector("[data-chase]");
  const boxes = () => [...(form()?.querySelectorAll("[data-tick]") || [])];
  const ticked = () => boxes().filter((box) => box.checked);
  const chosen = () => form()?.querySelector("[data-row].is-selected [data-tick]");
  const say = (name) => {
    const reason = form()?.querySelector("[data-chase-reason]");
    if (!reason) return;
    reason.textContent = name ? reason.dataset[name] : "";
    if (name) reason.setAttribute("role", "status");
  };

  const oneLevel = () => {
    const level = ticked()[0]?.dataset.group;
    for (const body of form()?.querySelectorAll("[data-level]") || []) {
      const other = Boolean(level) && body.dataset.level !== level;
      body.classList.toggle("is-other-level", other);
      for (const box of body.querySelectorAll("[data-tick], [data-tick-group]")) {
        if (box.closest(".is-unable")) continue;
        box.disabled = other;
        box.title = other ? form().querySelector("[data-chase-reason]")?.dataset.oneLevel || "" : "";
      }
    }
    say(level && form().querySelectorAll("[data-level]").length > 1 ? "oneLevel" : level ? "" : "nothing");
  };

  document.addEventListener("relance:ticks", oneLevel);
  document.addEventListener("DOMContentLoaded", () => {
    if (!form()) return;
    oneLevel();
    const tick = form().querySelector("[data-chase-tick]");
    if (tick) tick.hidden = false;
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest) return;
    if (event.target.closest("[data-chase-tick]")) {
      const box = chosen();
      if (box && !box.disabled) box.click();
      return;
    }
    if (!event.target.closest("[data-chase-do]") || ticked().length) return;
    const box = chosen();
    if (box && !box.disabled) { box.click(); return; }
    event.preventDefault();
    event.stopImmediatePropagation();
    say("nothing");
  }, true);
})();

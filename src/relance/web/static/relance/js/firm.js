// A box that unlocks what depends on it, and at most two days of the month.
//   data-unlocks="#id"   the fieldset is usable only while the box is ticked
//   data-days            a fieldset of which two boxes may be ticked: the third gives up the first
(() => {
  let order = [];
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.matches?.("[data-unlocks]")) {
      const locked = document.querySelector(box.dataset.unlocks);
      if (locked) locked.disabled = !box.checked;
    }
    const days = box.closest?.("[data-days]");
    if (!days) return;
    const on = [...days.querySelectorAll("input:checked")];
    order = order.filter((one) => one.checked && one !== box);
    for (const one of on) if (one !== box && !order.includes(one)) order.unshift(one);
    if (box.checked) order.push(box);
    while (order.length > 2) order.shift().checked = false;
  });
})();

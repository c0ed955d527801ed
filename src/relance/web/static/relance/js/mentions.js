// Typing @ in a note offers the members whose names stand beside it; without script one ticks them.
(() => {
  const names = (area) => [...area.form.querySelectorAll("[data-mention-name]")].map((one) => one.textContent.trim());
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const typed = (area) => area.value.slice(0, area.selectionStart).match(/(?:^|[^\p{L}\p{N}_.])@([\p{L}'’-]*)$/u)?.[1];
  const close = (area) => { area.parentElement.querySelector(".mention-list")?.remove(); area.removeAttribute("aria-controls"); };
  const pick = (area, name) => {
    const start = area.selectionStart - typed(area).length;
    area.setRangeText(`${name} `, start, area.selectionStart, "end");
    close(area);
    area.focus();
  };
  const offer = (area) => {
    close(area);
    const start = typed(area);
    if (start === undefined) return;
    const found = names(area).filter((name) => plain(name).startsWith(plain(start))).slice(0, 6);
    if (!found.length) return;
    const list = document.createElement("div");
    list.className = "mention-list menu-list";
    list.id = `${area.id}-names`;
    for (const name of found) {
      const item = document.createElement("button");
      item.type = "button";
      item.className = "menu-item";
      item.textContent = name;
      item.addEventListener("click", () => pick(area, name));
      list.append(item);
    }
    area.after(list);
    area.setAttribute("aria-controls", list.id);
  };
  document.addEventListener("input", (event) => { if (event.target.matches?.("[data-mentions]")) offer(event.target); });
  document.addEventListener("keydown", (event) => {
    const area = event.target;
    if (!area.matches?.("[data-mentions]")) return;
    const first = area.parentElement.querySelector(".mention-list .menu-item");
    if (!first) return;
    if (event.key === "Escape") { event.stopPropagation(); close(area); }
    else if (event.key === "ArrowDown") { event.preventDefault(); first.focus(); }
    else if (event.key === "Tab" || event.key === "Enter") { event.preventDefault(); first.click(); }
  });
})();

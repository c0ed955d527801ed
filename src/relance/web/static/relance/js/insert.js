// A click on a variable writes it where the cursor is, in the subject or in the text.
(() => {
  let last = document.querySelector("textarea[name=body]");
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("textarea[name=body], input[name=subject]")) last = event.target;
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (!button || !last) return;
    last.focus();
    last.setRangeText(button.dataset.insert, last.selectionStart, last.selectionEnd, "end");
    last.dispatchEvent(new Event("input", { bubbles: true }));
  });
})();

// What is to be typed at the bank is copied by a button; without this file it is selected by hand.
(() => {
  if (!navigator.clipboard) return;
  const said = document.querySelector("[data-copy-said]");
  for (const button of document.querySelectorAll("[data-copy]")) {
    const word = button.querySelector("[data-copy-word]");
    const usual = word.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
      } catch {
        return;
      }
      word.textContent = button.dataset.done;
      if (said) said.textContent = button.dataset.done;
      setTimeout(() => {
        word.textContent = usual;
        if (said) said.textContent = "";
      }, 2500);
    });
  }
})();

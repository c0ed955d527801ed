// Banque: the strip of months opens on the month that was chosen, or on the latest.
//   files dropped anywhere on a form with data-bank-drop go to its file field
(() => {
  const place = () => {
    for (const strip of document.querySelectorAll(".months")) {
      const chosen = strip.querySelector(".month.is-chosen");
      strip.scrollLeft = chosen ? chosen.offsetLeft - strip.clientWidth / 2 : strip.scrollWidth;
    }
  };
  document.addEventListener("DOMContentLoaded", place);
  document.addEventListener("dragover", (event) => {
    if (event.target.closest?.("[data-bank-drop]")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const form = event.target.closest?.("[data-bank-drop]");
    const field = form?.querySelector('input[type="file"]');
    if (!field || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    field.files = event.dataTransfer.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();

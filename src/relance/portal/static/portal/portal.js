// Answers leave as soon as a file is chosen, once each; everything works without this file.
//   data-send: a form of files; data-most bytes of one file · data-once: a form that leaves once
(() => {
  document.querySelector(".j-item.is-current")?.scrollIntoView({ block: "nearest" });
  for (const form of document.querySelectorAll("form[data-send]")) {
    form.classList.add("is-live");
    const state = form.querySelector("[data-send-state]");
    const say = (words, wrong) => {
      state.textContent = words;
      state.classList.toggle("is-wrong", wrong);
    };
    form.addEventListener("change", (event) => {
      const files = [...(event.target.files || [])];
      if (!files.length) return;
      if (files.some((file) => file.size > Number(form.dataset.most))) {
        say(state.dataset.heavy, true);
        event.target.value = "";
        return;
      }
      form.requestSubmit();
    });
    form.addEventListener("submit", () => say(state.dataset.sending, false));
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-send], [data-once]")) return;
    if (form.dataset.left) event.preventDefault();
    form.dataset.left = "yes";
    for (const button of form.querySelectorAll(".j-button")) button.setAttribute("aria-disabled", "true");
  });
  // Back from the next page: the form may leave again, and the server says what is done already.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
})();

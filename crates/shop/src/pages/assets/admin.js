"use strict";

/* Only improves what works without it: one box for all rows, how many are chosen, a word before
   what was typed is left behind. */

(() => {
  const boxes = [...document.querySelectorAll(".pick input[name=id]")];
  const bulk = document.getElementById("bulk");
  const head = document.querySelector("th.pick");
  if (bulk && head && boxes.length > 0) {
    const all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", "Choose every row of this page");
    head.replaceChildren(all);
    const told = bulk.querySelector("[data-count]");
    const count = () => {
      const chosen = boxes.filter((box) => box.checked).length;
      all.checked = chosen === boxes.length;
      all.indeterminate = chosen > 0 && chosen < boxes.length;
      if (told) told.textContent = chosen > 0 ? `${chosen} chosen` : "";
      for (const box of boxes) box.closest("tr").classList.toggle("chosen", box.checked);
    };
    all.addEventListener("change", () => {
      for (const box of boxes) box.checked = all.checked;
      count();
    });
    for (const box of boxes) box.addEventListener("change", count);
    count();
  }

  for (const form of document.querySelectorAll("form[data-guard]")) {
    const values = () => new URLSearchParams(new FormData(form)).toString();
    const before = values();
    let sent = false;
    const hint = document.createElement("span");
    hint.className = "unsaved";
    hint.setAttribute("role", "status");
    form.querySelector("button")?.after(hint);
    form.addEventListener("input", () => {
      hint.textContent = values() === before ? "" : "Not saved yet";
    });
    form.addEventListener("submit", () => { sent = true; });
    addEventListener("beforeunload", (event) => {
      if (!sent && values() !== before) event.preventDefault();
    });
  }
})();

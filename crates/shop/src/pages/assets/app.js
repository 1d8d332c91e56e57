"use strict";

/* Only improves what works without it: counts holds down, sends a form once, opens the filters where
   there is room. */

(() => {
  const told = document.getElementById("told");
  const tell = (text) => { if (told) told.textContent = text; };

  /* <time data-until="moment of the end" data-now="the server's clock" data-label="what ends">:
     counted by the server's clock, whatever the browser's says. */
  const clock = (seconds) => {
    const pad = (number) => String(number).padStart(2, "0");
    const [hours, minutes, rest] =
      [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    return hours > 0 ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
  };
  const holds = [...document.querySelectorAll("time[data-until]")].map((time) => ({
    time,
    left: Math.ceil((Date.parse(time.dataset.until) - Date.parse(time.dataset.now)) / 1000),
    label: time.dataset.label || "A hold",
  }));
  const began = performance.now();
  const count = () => {
    const passed = Math.floor((performance.now() - began) / 1000);
    let running = false;
    for (const hold of holds) {
      const left = Math.max(0, hold.left - passed);
      running = running || left > 0;
      if (hold.shown === left) continue;
      if (hold.shown > 60 && left <= 60) tell(`${hold.label}: one minute left.`);
      if (hold.shown > 0 && left === 0) {
        tell(`${hold.label}: the time is over. It is on sale again.`);
        hold.time.closest("[data-hold]")?.classList.add("lapsed");
      }
      hold.shown = left;
      hold.time.textContent = left > 0 ? clock(left) : "over";
    }
    if (running) setTimeout(count, 500);
  };
  if (holds.length > 0) count();

  /* A second click is not a second order. Forms that a browser shows again from its memory work. */
  const locked = new Set();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (locked.has(form)) { event.preventDefault(); return; }
    locked.add(form);
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  });
  addEventListener("pageshow", () => {
    for (const form of locked) {
      for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
    }
    locked.clear();
  });

  const wide = matchMedia("(min-width: 60rem)");
  const open = () => {
    for (const details of document.querySelectorAll("details[data-wide-open]")) {
      details.open = wide.matches;
    }
  };
  wide.addEventListener("change", open);
  open();

  /* What was wrong with a form is read first. */
  document.querySelector("main [role=alert][tabindex]")?.focus();
})();

// A page that is live: puts the parts that the server sends in their places.
"use strict";
(() => {
  const note = document.getElementById("live-note");
  const places = document.querySelectorAll("[data-live]");
  if (!("EventSource" in window) || !note || places.length === 0) return;
  const events = new EventSource(note.dataset.events);
  const say = (text) => { note.textContent = text; };
  for (const place of places) {
    events.addEventListener(place.dataset.live, (event) => {
      // What somebody has opened stays open, and the focus where it was.
      const open = [...place.querySelectorAll("details")].map((each) => each.open);
      const links = [...place.querySelectorAll("a, button, summary, [tabindex]")];
      const focused = links.indexOf(document.activeElement);
      place.innerHTML = event.data;
      place.querySelectorAll("details").forEach((each, index) => { each.open = open[index] === true; });
      if (focused >= 0) {
        const again = place.querySelectorAll("a, button, summary, [tabindex]")[focused];
        if (again) again.focus({ preventScroll: true });
      }
      say("Live: changes show by themselves.");
    });
  }
  events.addEventListener("open", () => say("Live: changes show by themselves."));
  events.addEventListener("error", () => say(
    events.readyState === EventSource.CLOSED
      ? "Not live any more: reload the page to see the newest numbers."
      : "The connection was lost; trying again."));
})();

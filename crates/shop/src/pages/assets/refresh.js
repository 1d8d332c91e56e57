// Parts of a page that are fetched anew while somebody looks: the page itself is asked for again.
"use strict";
(() => {
  const note = document.getElementById("live-note");
  const parts = document.querySelectorAll("[data-refresh]");
  if (!note || parts.length === 0) return;
  const every = 2000;
  const refresh = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.pathname, { headers: { accept: "text/html" } });
        if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of parts) {
          const anew = page.getElementById(part.id);
          // What has the focus stays as it is.
          if (anew && !part.contains(document.activeElement)) part.innerHTML = anew.innerHTML;
        }
        note.textContent = "Live: changes show by themselves.";
      } catch {
        note.textContent = "Not live any more: reload the page to see the newest numbers.";
        return;
      }
    }
    setTimeout(refresh, every);
  };
  setTimeout(refresh, every);
})();

"use strict";

/* Only improves what works without it: codes are sent without leaving the page, the camera reads them
   where the browser can, and the count follows the other doors. */

(() => {
  const door = document.getElementById("door");
  const scan = document.getElementById("scan");
  const code = document.getElementById("code");
  if (!door || !scan || !code) return;
  const COUNT_EVERY = 5000;
  const LOOK_EVERY = 150;
  /* The same code is not sent twice while it is held before the camera. */
  const SAME_FOR = 4000;

  const swap = (page, id) => {
    const fresh = page.getElementById(id);
    if (fresh) document.getElementById(id).replaceChildren(...fresh.childNodes);
    return Boolean(fresh);
  };
  const read = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");
  const failed = () => {
    const box = document.createElement("div");
    box.className = "verdict out";
    const word = document.createElement("p");
    word.className = "verdict-word";
    word.textContent = "No answer";
    const why = document.createElement("p");
    why.textContent = "The shop cannot be reached. Nobody knows whether it counted: try again.";
    box.append(word, why);
    document.getElementById("verdict").replaceChildren(box);
  };

  let busy = Promise.resolve();
  const send = (action, fields) => {
    busy = busy.then(async () => {
      try {
        const answer = await fetch(action, { method: "POST", body: new URLSearchParams(fields) });
        const page = await read(answer);
        /* Logged out, for instance: see what the shop has to say. */
        if (!swap(page, "verdict")) { location.assign(location.pathname); return; }
        swap(page, "count");
        document.title = page.title;
      } catch {
        failed();
      }
    });
    return busy;
  };

  door.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    const form = event.target;
    const fields = new FormData(form);
    if (form === scan && !fields.get("code").trim()) return;
    if (form === scan) code.value = "";
    send(form.action, fields);
    code.focus();
  });

  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.pathname);
      if (answer.ok && !answer.redirected) swap(await read(answer), "count");
    } catch { /* The next time. */ }
  }, COUNT_EVERY);

  const camera = document.getElementById("camera");
  const [button, video, wrong] =
    ["button", "video", ".field-error"].map((name) => camera.querySelector(name));
  const canRead = async () => {
    if (!("BarcodeDetector" in window) || !navigator.mediaDevices) return false;
    const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
    return formats.includes("qr_code");
  };
  let stream = null;
  const stop = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.hidden = true;
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Use the camera";
  };
  const look = async (detector) => {
    let last = { text: "", at: 0 };
    while (stream) {
      const found = await detector.detect(video).catch(() => []);
      const text = found[0]?.rawValue ?? "";
      const now = performance.now();
      if (text && (text !== last.text || now - last.at > SAME_FOR)) {
        last = { text, at: now };
        await send(scan.action, { code: text });
      } else if (text) {
        last.at = now;
      }
      await new Promise((done) => setTimeout(done, LOOK_EVERY));
    }
  };
  const start = async () => {
    wrong.hidden = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      wrong.textContent = "The camera cannot be used. Allow it in the browser, or type the code.";
      wrong.hidden = false;
      return;
    }
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Stop the camera";
    look(new BarcodeDetector({ formats: ["qr_code"] }));
  };
  button.addEventListener("click", () => { if (stream) stop(); else start(); });
  canRead().then((can) => {
    camera.hidden = !can;
    document.getElementById("no-camera").hidden = can;
  });
})();

// The feed of the stack: the present state and what happens, as server-sent events. A hidden page listens to
// nothing; when it is seen again it gets what it missed.
import {app, redraw} from "./common.js";

const listeners = [];
let source = null, lastId = "", retry = 0;

/** Call `listener(records)` for what happens from now on; `null` when something was missed: read all anew. */
export function onRecords(listener) { listeners.push(listener); }
export function startFrom(id) { if (!lastId) lastId = id; }

function tell(records) {
  for (const listener of listeners) listener(records);
  redraw();
}
function open() {
  if (source || document.hidden) return;
  source = new EventSource("feed" + (lastId ? `?after=${encodeURIComponent(lastId)}` : ""));
  source.addEventListener("open", () => { retry = 0; app.connection = ""; redraw(); });
  source.addEventListener("state", event => { app.state = JSON.parse(event.data); redraw(); });
  source.addEventListener("records", event => { lastId = event.lastEventId; tell(JSON.parse(event.data)); });
  source.addEventListener("reset", event => { lastId = event.lastEventId; tell(null); });
  source.addEventListener("error", () => {
    app.connection = "The stack does not answer. This page asks again by itself.";
    if (source.readyState === EventSource.CLOSED) {  // refused: a browser does not try again by itself
      close();
      explain();
      setTimeout(open, Math.min(30, 2 ** retry++) * 1000);
    }
    redraw();
  });
}
function close() {
  if (source) source.close();
  source = null;
}
async function explain() {
  try {
    const answer = await fetch("state");
    if (answer.status === 401) app.connection = "The login is over. Open the address that was printed at the start.";
    else if (answer.ok) app.connection = "Too many console pages are open. Close one of them.";
  } catch { /* the line says already that nothing answers */ }
  redraw();
}
export function listen() {
  document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

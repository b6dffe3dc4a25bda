// What every view uses: templates, requests, numbers in words, and one drawing of the page for any number of changes.
// Everything that comes from objects is put into templates as text, never as markup.
export {html, svg, nothing} from "./vendor/lit-html/lit-html.js";
export {repeat} from "./vendor/lit-html/directives/repeat.js";
export {live} from "./vendor/lit-html/directives/live.js";
import {html} from "./vendor/lit-html/lit-html.js";

export const app = {state: null, connection: "connecting …", problem: "", message: "", undo: null};

let draw = () => {};
let planned = false;
export function onDraw(drawing) { draw = drawing; }
export function redraw() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => { planned = false; draw(); });
}

export async function ask(path, options) {
  let response;
  try { response = await fetch(path, options); }
  catch { throw new Error("The stack does not answer. Is it still running? Start it again with: penstock up"); }
  if (!response.ok) throw new Error((await response.text()).trim().slice(0, 500) || `status ${response.status}`);
  return response.json();
}
export const post = (path, document) => ask(path, {method: "POST", body: JSON.stringify(document)});
export const query = given => new URLSearchParams(given).toString();
export const link = (view, given = {}) => `#/${view}${Object.keys(given).length ? "?" + query(given) : ""}`;
export const objectLink = (bucket, key) => link("object", {bucket, key});
/** The page of an object that is named as bucket/key. */
export const refLink = named => objectLink(named.slice(0, named.indexOf("/")), named.slice(named.indexOf("/") + 1));
export const bytesUrl = (bucket, key, show) => `object?${query({bucket, key})}${show ? "&show=" : ""}`;
export const isImage = key => /\.(jpe?g|png|webp|avif|gif)$/i.test(key);

/** Say something in the line that screen readers hear. `undo` is a function that takes it back. */
export function say(message, undo = null) {
  app.message = message;
  app.undo = undo;
  redraw();
}
/** Run what a button starts; what goes wrong is said. */
export async function attempt(work) {
  try { await work(); } catch (error) { say(error.message); }
  redraw();
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  if (bytes < 1000) return `${bytes} B`;
  for (const unit of ["kB", "MB", "GB"]) {
    bytes /= 1000;
    if (bytes < 1000 || unit === "GB") return `${bytes.toFixed(1)} ${unit}`;
  }
}
export const count = number => number.toLocaleString("en");
export const many = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
export const duration = ms => ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms)} ms`;
export const saved = (before, after) => before ? Math.round((1 - after / before) * 100) : 0;
export function saving(before, after) {
  if (!before || after === undefined || after === null) return "";
  const share = saved(before, after);
  return share >= 0 ? `${share} % smaller` : `${-share} % larger`;
}
export function ago(seconds) {
  const gone = Math.max(0, Date.now() / 1000 - seconds);
  if (gone < 60) return `${Math.round(gone)} s ago`;
  if (gone < 3600) return `${Math.round(gone / 60)} min ago`;
  return gone < 86400 ? `${Math.round(gone / 3600)} h ago` : new Date(seconds * 1000).toLocaleDateString();
}
/** An age that moves, with the moment itself for those who point at it. */
export const when = seconds => html`<time datetime=${new Date(seconds * 1000).toISOString()}
  title=${new Date(seconds * 1000).toLocaleString()}>${ago(seconds)}</time>`;

export function retrying(waiting) {
  const left = Math.max(0, Math.round(waiting.at - Date.now() / 1000));
  return `retrying, attempt ${waiting.attempt}${waiting.attempts ? ` of ${waiting.attempts}` : ""}, next in ${left} s`;
}
export const good = record => record.status < 400;
export const outcome = record => html`<span class=${good(record) ? "good" : "bad"}>${record.outcome}${
  good(record) ? "" : ` ${record.status}`}</span>`;

/** Move the focus to the view's heading, as on a page that was loaded. A field in which a person writes keeps it. */
export function focusHeading() {
  // Two frames: the first one draws the view.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (!document.activeElement?.matches("input, select, textarea")) document.querySelector("h1")?.focus();
  }));
}
/** A text for a shell in single quotes. */
export const quoted = text => `'${text.replaceAll("'", `'\\''`)}'`;
export function curl(name, bucket, key) {
  const url = `${location.origin}/function/${encodeURIComponent(name)}/event`;
  return `curl --fail-with-body -H 'Content-Type: application/json' -d ${quoted(JSON.stringify({bucket, key}))} ${quoted(url)}`;
}
export async function copy(text) {
  try { await navigator.clipboard.writeText(text); say("Copied."); }
  catch { say("The browser does not allow to copy. Select the text and copy it by hand."); }
}
export const functions = () => app.state ? app.state.functions : [];
/** Whether this page may change something; a console for a cluster only reads unless it is told otherwise. */
export const writes = () => app.state?.writes !== false;
export const READ_ONLY = "This console only reads. Start it with --allow-writes to change something.";
export const buckets = () => app.state ? app.state.buckets : [];

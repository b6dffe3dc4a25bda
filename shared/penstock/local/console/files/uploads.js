// Files on their way into a bucket, each with its progress; one that fails does not stop the others.
import {READ_ONLY, app, ask, buckets, html, many, nothing, objectLink, query, redraw, size, writes} from "./common.js";

const AT_ONCE = 3;
const uploads = [];
let chosen = "", over = false;

/** Where the file goes: the bucket that was chosen, else the one whose functions take such a name. */
async function place(upload) {
  if (upload.bucket) return true;
  const {bucket, wants} = await ask("place?" + query({key: upload.key}));
  if (bucket) { upload.bucket = bucket; return true; }
  upload.state = "unwanted";
  upload.reason = `No function takes ${upload.key}. ${wants.map(([name, what]) => `${name} takes ${what}`).join("; ")}. `
    + "Choose a bucket above and retry to store it all the same.";
  return false;
}
async function send(upload) {
  upload.state = "sending";
  upload.done = 0;
  upload.reason = "";
  redraw();
  try { if (!(await place(upload))) { redraw(); next(); return; } }
  catch (error) { fail(upload, error.message); return; }
  if (upload.state === "cancelled") { next(); return; }
  const request = upload.request = new XMLHttpRequest();
  request.upload.addEventListener("progress", event => { upload.done = event.loaded; redraw(); });
  request.addEventListener("load", () => {
    if (request.status >= 400) { fail(upload, request.responseText.trim().slice(0, 300)); return; }
    upload.state = "stored";
    upload.done = upload.file.size;
    next();
  });
  request.addEventListener("error", () => fail(upload, "The stack did not answer."));
  request.addEventListener("abort", () => { upload.state = "cancelled"; next(); });
  request.open("PUT", "object?" + query({bucket: upload.bucket, key: upload.key}));
  request.setRequestHeader("Content-Type", upload.file.type || "application/octet-stream");
  request.send(upload.file);
}
function fail(upload, reason) {
  upload.state = "failed";
  upload.reason = reason;
  next();
}
function next() {
  const busy = uploads.filter(each => each.state === "sending").length;
  for (const upload of uploads.filter(each => each.state === "waiting").slice(0, Math.max(0, AT_ONCE - busy))) send(upload);
  redraw();
}
export function take(files, prefix = "", bucket = "") {
  for (const file of files) {
    uploads.unshift({file, key: prefix + file.name, bucket: bucket || chosen, state: "waiting", done: 0, reason: ""});
  }
  uploads.splice(200);
  next();
}
function cancel(upload) {
  if (upload.request && upload.state === "sending") upload.request.abort();
  upload.state = "cancelled";
  next();
}
function retry(upload) {
  if (upload.state === "unwanted") upload.bucket = chosen;
  upload.state = "waiting";
  next();
}
function item(upload) {
  const {state} = upload;
  return html`<li><div class="grow"><span class="key">${state === "stored"
      ? html`<a href=${objectLink(upload.bucket, upload.key)}>${upload.key}</a>` : upload.key}</span>
    <span class="dim small">${size(upload.file.size)}${upload.bucket ? ` into ${upload.bucket}` : ""}</span>
    ${state === "sending" ? html`<progress max=${upload.file.size || 1} .value=${upload.done}
      aria-label=${`Upload of ${upload.key}`}></progress>` : nothing}
    ${upload.reason ? html`<p class="bad small">${upload.reason}</p>` : nothing}</div>
    ${state === "stored" ? html`<span class="good small">stored</span>` : nothing}
    ${state === "sending" || state === "waiting" ? html`<button aria-label=${`Cancel ${upload.key}`}
      @click=${() => cancel(upload)}>Cancel</button>` : nothing}
    ${["failed", "cancelled", "unwanted"].includes(state) ? html`<span class="dim small">${state === "unwanted" ? "not sent" : state}</span>
      <button aria-label=${`Retry ${upload.key}`} @click=${() => retry(upload)}>Retry</button>` : nothing}</li>`;
}
const hover = (event, now) => { event.preventDefault(); if (over !== now) { over = now; redraw(); } };

/** The place for files; in a folder they go there, else each file's name chooses its bucket. */
export function uploadPanel(bucket = "", prefix = "") {
  if (!writes()) return html`<p class="dim">${READ_ONLY}</p>`;
  return html`
    ${bucket ? nothing : html`<div class="row"><label for="into">into bucket</label>
      <select id="into" @change=${event => { chosen = event.target.value; }}>
        <option value="">the one whose functions take the file</option>
        ${buckets().map(name => html`<option value=${name}>${name}</option>`)}</select></div>`}
    <div class=${over ? "drop over" : "drop"} @dragover=${event => hover(event, true)} @dragleave=${event => hover(event, false)}
      @drop=${event => { hover(event, false); take(event.dataTransfer.files, prefix, bucket); }}>
      Drop files here, or <label for="file">choose some</label>
      <input type="file" id="file" multiple @change=${event => { take(event.target.files, prefix, bucket); event.target.value = ""; }}></div>
    ${uploads.length ? html`<ul class="list" aria-label="Uploads">${uploads.slice(0, 50).map(item)}</ul>
      ${uploads.length > 50 ? html`<p class="dim small">and ${many(uploads.length - 50, "more file")}</p>` : nothing}` : nothing}`;
}

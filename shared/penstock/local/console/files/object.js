// One object: what is in it, what it became, and each attempt with its reason, trace and log lines.
import {ask, attempt, bytesUrl, copy, curl, duration, html, isImage, link, nothing, objectLink, outcome, post, query, redraw,
  retrying, saved, saving, say, size, when, writes} from "./common.js";
import {onRecords} from "./live.js";
import {letterItem} from "./dead.js";
import {remove} from "./objects.js";

let ref = {bucket: "", key: ""}, about = null, problem = "", asked = 0, timer = 0;
let previews = new Map();

export const title = given => given.get("key") || "Object";
export function enter(given) {
  ref = {bucket: given.get("bucket") || "", key: given.get("key") || ""};
  about = null;
  previews = new Map();
  read();
}
async function read() {
  const mine = ++asked;
  try {
    const found = await ask("about?" + query(ref));
    if (mine !== asked) return;
    about = found;
    problem = "";
    for (const each of [ref, ...about.outputs, ...about.made_from]) preview(each);
  } catch (error) { if (mine === asked) problem = error.message; }
  redraw();
}
onRecords(records => {
  const mine = !records || records.some(each => (each.bucket === ref.bucket && each.key === ref.key)
    || each.targets.some(target => target.address === `s3://${ref.bucket}/${ref.key}`));
  if (!mine || timer || !location.hash.startsWith("#/object?")) return;
  timer = setTimeout(() => { timer = 0; read(); }, 600);
});
const name = each => `${each.bucket}/${each.key}`;
async function preview(each) {
  let found;
  try { found = await ask("preview?" + query({bucket: each.bucket, key: each.key})); } catch { found = {kind: "gone"}; }
  previews.set(name(each), found);
  redraw();
}
function shown(each) {
  const found = previews.get(name(each));
  if (!found) return html`<p class="dim">reading …</p>`;
  if (found.kind === "gone") return html`<p class="dim">not there</p>`;
  if (found.kind === "picture") return html`<a href=${bytesUrl(each.bucket, each.key, true)}><img class="preview"
    src=${`${bytesUrl(each.bucket, each.key, true)}&state=${found.etag}`} alt=${`Picture ${each.key}`}></a>`;
  if (found.kind === "table") return html`<div class="scroll" tabindex="0" role="region" aria-label=${`First rows of ${each.key}`}>
    <table><caption>${found.columns.length} columns, the first rows${found.packed ? `, unpacked from ${found.packed}` : ""}</caption>
    <thead><tr>${found.columns.map(cell => html`<th scope="col">${cell || "(no name)"}</th>`)}</tr></thead>
    <tbody>${found.rows.slice(0, 8).map(row => html`<tr>${row.map(cell => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
  if (found.kind === "text") return html`<pre tabindex="0">${found.text}</pre>`;
  return html`<p class="dim">${found.kind === "empty" ? "empty" : "no text and no picture"}</p>`;
}
function side(each, heading, source) {
  const found = previews.get(name(each));
  const before = source && previews.get(name(source));
  const known = found?.size !== undefined;
  return html`<div class="side"><h3>${heading}</h3>
    <p class="key">${name(each) === name(ref) ? name(each) : html`<a href=${objectLink(each.bucket, each.key)}>${name(each)}</a>`}</p>
    <p>${known ? html`<strong>${size(found.size)}</strong> <span class="dim">${found.type}</span>
      ${before?.size ? html`<span class=${saved(before.size, found.size) >= 0 ? "good" : "warm"}>${saving(before.size, found.size)}</span>`
        : nothing}` : nothing}</p>
    ${shown(each)}</div>`;
}
function sides() {
  const source = about.made_from[0];
  return html`<section class="card" aria-labelledby="h-sides"><h2 id="h-sides">Before and after</h2><div class="sides">
    ${source ? [side(source, `Before ${source.function}`), side(ref, `After ${source.function}`, source)] : side(ref, "This object")}
    ${about.outputs.map(each => side(each, `After ${each.function}`, ref))}</div></section>`;
}
function attemptItem(each) {
  return html`<li class=${each.status < 400 ? "" : "failed"}>
    <div class="row"><strong>${each.function}</strong> ${outcome(each)} <span class="dim">${when(each.at)} · ${duration(each.ms)} ·
      <span class=${each.cold ? "cold" : "dim"}>${each.cold ? "cold start" : "warm"}</span>${each.in || each.out
        ? ` · ${size(each.in)} → ${size(each.out)}` : ""}</span></div>
    ${each.reason ? html`<p class="reason">${each.reason}</p>` : nothing}
    ${each.notes.map(note => html`<p class="dim small note">Note: ${note}</p>`)}
    ${each.targets.map(target => html`<p class="dim small">into ${target.address}${target.size ? `, ${size(target.size)}` : ""}</p>`)}
    ${each.trace ? html`<details open><summary>Trace of the error</summary><pre tabindex="0">${each.trace}</pre></details>` : nothing}
    ${each.lines.length ? html`<details><summary>Log lines (${each.lines.length})</summary>
      <pre tabindex="0">${each.lines.map(line => `${new Date(line.time * 1000).toLocaleTimeString()} ${line.level} ${line.text}\n`)}</pre>
      </details>` : nothing}
    ${each.log ? html`<p class="dim small">whole log: ${each.log}</p>` : nothing}</li>`;
}
export function view() {
  if (problem) return html`<p class="bad">${problem}</p>`;
  if (!about) return html`<p class="dim">reading …</p>`;
  return html`
    <p><a href=${link("objects", {bucket: ref.bucket, prefix: ref.key.slice(0, ref.key.lastIndexOf("/") + 1)})}>${ref.bucket}</a></p>
    <div class="row"><a class="button" href=${bytesUrl(ref.bucket, ref.key)}>Download</a>
      ${about.takers.length && writes() ? html`<button class="main" @click=${() => attempt(async () => {
        const {sent_to} = await post("rerun", ref);
        say(`Sent again to ${sent_to.join(" and ")}. A function whose result is right already changes nothing.`);
      })}>Run again</button>` : nothing}
      ${about.takers.map(taker => html`<button @click=${() => copy(curl(taker, ref.bucket, ref.key))}>Copy as curl for ${taker}</button>`)}
      ${writes() ? html`<button class="danger" @click=${() => remove(ref, () => { location.hash = link("objects", {bucket: ref.bucket}); })}>Delete</button>`
        : nothing}</div>
    ${sides()}
    <section class="card" aria-labelledby="h-attempts"><h2 id="h-attempts">Attempts</h2>
      ${about.attempts.length ? html`<ol class="timeline">${about.attempts.map(attemptItem)}</ol>`
        : html`<p class="dim">${about.takers.length ? "No function was asked about it since the stack was started."
          : "No function takes this object."}</p>`}
      ${about.waiting.map(each => html`<p class="warm">${each.function}: ${retrying(each)}</p>`)}
      ${about.dead_letters.length ? html`<h3>Given up</h3><ul class="list">${about.dead_letters.map(letter => letterItem(letter, read))}</ul>`
        : nothing}</section>`;
}

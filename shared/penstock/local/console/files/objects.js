// The buckets as folders: names, sizes, what is newest first; by words in the name over all folders.
import {ask, attempt, buckets, bytesUrl, count, html, isImage, link, many, nothing, objectLink, query, redraw, repeat, say,
  size, when, writes} from "./common.js";
import {onRecords} from "./live.js";
import {uploadPanel} from "./uploads.js";

let bucket = "", prefix = "", words = "", folder = null, problem = "", asked = 0, stale = false, timer = 0;

export const title = () => "Objects";
export function enter(given) {
  bucket = given.get("bucket") || "";
  prefix = given.get("prefix") || "";
  words = given.get("words") || "";
  folder = null;
  if (bucket) read();
}
async function read(offset = 0) {
  const mine = ++asked;
  stale = false;
  try {
    const found = await ask("folder?" + query({bucket, prefix, words, offset}));
    if (mine !== asked) return;
    folder = offset ? {...found, objects: [...folder.objects, ...found.objects]} : found;
    problem = "";
  } catch (error) { if (mine === asked) problem = error.message; }
  redraw();
}
// A listing of a large bucket takes time, so events of two seconds share one.
onRecords(() => {
  stale = true;
  if (!timer && folder && location.hash.startsWith("#/objects")) timer = setTimeout(() => {
    timer = 0;
    if (stale && folder && folder.objects.length <= 200) read();
  }, 2000);
});
export function remove(ref, then) {
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  text.textContent = `Delete ${ref.key} from ${ref.bucket}? It cannot be taken back. What was made of it stays or goes as `
    + "ON_SOURCE_REMOVED of each function says.";
  const yes = document.createElement("button"), no = document.createElement("button");
  yes.textContent = "Delete";
  yes.className = "danger";
  no.textContent = "Keep it";
  no.autofocus = true;
  dialog.setAttribute("aria-label", "Delete an object");
  dialog.append(text, no, " ", yes);
  document.body.append(dialog);
  no.addEventListener("click", () => dialog.close());
  yes.addEventListener("click", () => {
    dialog.close();
    attempt(async () => {
      await ask(bytesUrl(ref.bucket, ref.key), {method: "DELETE"});
      say(`${ref.key} is deleted.`);
      then();
    });
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}
function crumbs() {
  const parts = prefix.split("/").slice(0, -1);
  return html`<nav aria-label="Folders" class="crumbs"><a href=${link("objects", {bucket})}>${bucket}</a>${parts.map((part, at) =>
    html` / <a href=${link("objects", {bucket, prefix: parts.slice(0, at + 1).join("/") + "/"})}>${part || "(no name)"}</a>`)}</nav>`;
}
const file = each => html`<tr><td>${isImage(each.key) ? html`<img class="thumb" src=${bytesUrl(each.bucket, each.key, true)} alt=""
    loading="lazy" width="40" height="40">` : nothing}</td>
  <td class="name"><a href=${objectLink(each.bucket, each.key)}>${words ? each.key : each.key.slice(prefix.length)}</a></td>
  <td class="n">${size(each.size)}</td><td class="n">${each.modified ? when(each.modified) : ""}</td>
  <td class="n"><a href=${bytesUrl(each.bucket, each.key)} aria-label=${`Download ${each.key}`}>Download</a>
  ${writes() ? html`<button aria-label=${`Delete ${each.key}`} @click=${() => remove(each, () => read())}>Delete</button>` : nothing}</td></tr>`;
const inner = each => html`<tr><td aria-hidden="true">▸</td><td class="name"><a href=${link("objects", {bucket, prefix: each.prefix})}>${
  each.name || "(no name)"}/</a></td><td class="n">${size(each.size)}</td><td class="n">${many(each.count, "object")}</td><td></td></tr>`;

function listing() {
  if (problem) return html`<p class="bad">${problem}</p>`;
  if (!folder) return html`<p class="dim">reading …</p>`;
  const {objects, folders, total} = folder;
  return html`<p class="dim small" role="status">${many(total, "object")}${words ? ` with ${words}` : " here"}, ${size(folder.size)}${
      folder.whole ? "" : ". The bucket has more keys than were looked at; open a folder."}</p>
    ${total + folders.length ? html`<div class="scroll" tabindex="0" role="region" aria-label="Objects, a table"><table>
    <thead><tr><th scope="col"><span class="sr">picture</span></th><th scope="col">name</th><th scope="col" class="n">size</th>
      <th scope="col" class="n">changed</th><th scope="col" class="n">actions</th></tr></thead>
    <tbody>${repeat(folders, each => each.prefix, inner)}${repeat(objects, each => each.key, file)}</tbody></table></div>` : nothing}
    ${objects.length < total ? html`<button @click=${() => read(objects.length)}>Show ${count(Math.min(200, total - objects.length))} more of ${
      count(total - objects.length)}</button>` : nothing}`;
}
export function view() {
  if (!bucket && buckets().length) {
    bucket = buckets().includes("processed") ? "processed" : buckets()[0];
    read();
  }
  return html`
    <div class="row" role="group" aria-label="Buckets">${buckets().map(name => html`<a class="tab" href=${link("objects", {bucket: name})}
      aria-current=${name === bucket ? "true" : "false"}>${name}</a>`)}</div>
    <div class="columns wide"><section class="card" aria-label="Objects">${crumbs()}
      <form class="row" role="search" @submit=${event => {
        event.preventDefault();
        location.hash = link("objects", {bucket, prefix, ...(event.target.words.value ? {words: event.target.words.value} : {})});
      }}><label for="words">name has</label> <input type="search" id="words" name="words" .value=${words}> <button>Filter</button></form>
      ${listing()}</section>
    <section class="card" aria-labelledby="h-into"><h2 id="h-into">Upload into ${bucket}${prefix ? `/${prefix}` : ""}</h2>
      ${bucket ? uploadPanel(bucket, prefix) : nothing}</section></div>`;
}

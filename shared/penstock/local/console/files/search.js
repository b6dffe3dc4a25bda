// Search in the index, with facets over what was found and the place where the words were found.
import {app, ask, count, html, isImage, bytesUrl, link, many, nothing, objectLink, query, redraw, size} from "./common.js";

const PAGE = 100, MOST = 300;
let words = "", found = null, problem = "", asked = 0, whole = true;
let facet = {};

export const title = () => "Search";
export function enter(given) {
  words = given.get("q") || "";
  facet = Object.fromEntries(["kind", "type", "size", "date", "column"].map(name => [name, given.get(name) || ""]));
  if (words !== found?.words) { found = null; if (words) read(); }
}
async function read() {
  const mine = ++asked, of = words;
  if (!app.state) { setTimeout(() => { if (mine === asked) read(); }, 200); return; }
  const name = app.state.searchable[0];
  try {
    if (!name) throw new Error("No function of this stack keeps an index. A function whose SINK is sqlite:///PATH does.");
    const documents = [];
    for (whole = false; !whole && documents.length < MOST;) {
      const page = await ask(`/function/${encodeURIComponent(name)}/?` + query({q: of, limit: PAGE, offset: documents.length}));
      documents.push(...page.documents);
      whole = page.documents.length < PAGE;
    }
    if (mine !== asked) return;
    found = {words: of, documents};
    problem = "";
  } catch (error) { if (mine === asked) problem = error.message; }
  redraw();
}
const sizes = [[1e4, "under 10 kB"], [1e6, "under 1 MB"], [1e8, "under 100 MB"], [Infinity, "larger"]];
const facets = {
  kind: each => [each.kind || "unknown"],
  type: each => [each.type || each.content_type || "unknown"],
  size: each => [sizes.find(([most]) => (each.size || 0) < most)[1]],
  date: each => [each.last_modified ? String(each.last_modified).slice(0, 10) : "unknown"],
  column: each => (each.csv?.columns || []).map(String),
};
const fits = (each, but = "") => Object.entries(facets).every(([name, of]) => name === but || !facet[name] || of(each).includes(facet[name]));

/** Where the words are: the first place of each kind, with what stands around it. */
function matched(each) {
  const wanted = words.toLowerCase().split(/\s+/).map(word => word.replace(/\*$/, "")).filter(Boolean);
  const places = [["name", each.key], ["columns", (each.csv?.columns || []).join(", ")], ["rows", (each.csv?.first_rows || []).flat().join(", ")],
    ["text", each.text?.beginning], ["metadata", JSON.stringify(each.metadata || {})], ["type", each.type]];
  return places.flatMap(([place, text]) => {
    const whole = String(text || ""), low = whole.toLowerCase();
    const at = Math.min(...wanted.map(word => low.indexOf(word)).filter(index => index >= 0));
    if (at === Infinity) return [];
    const word = wanted.find(one => low.startsWith(one, at)), end = at + word.length;
    return [html`<div class="small"><span class="dim">${place}:</span> ${at > 30 ? "…" : ""}${whole.slice(Math.max(0, at - 30), at)}<mark>${
      whole.slice(at, end)}</mark>${whole.slice(end, end + 60)}${whole.length > end + 60 ? "…" : ""}</div>`];
  }).slice(0, 3);
}
const result = each => html`<li>${isImage(each.key) ? html`<img class="thumb" src=${bytesUrl(each.bucket, each.key, true)} alt="" loading="lazy"
    width="40" height="40">` : nothing}<div class="grow"><a class="key" href=${objectLink(each.bucket, each.key)}>${each.bucket}/${each.key}</a>
  <div class="dim small">${[each.kind, each.image && `${each.image.width} × ${each.image.height}`, each.csv && many(each.csv.rows, "row"),
    each.size !== undefined && size(each.size)].filter(Boolean).join(" · ")}</div>${matched(each)}</div></li>`;

function choices(name) {
  const sums = new Map();
  for (const each of found.documents) if (fits(each, name)) for (const value of facets[name](each)) sums.set(value, (sums.get(value) || 0) + 1);
  const top = [...sums].sort((a, b) => b[1] - a[1]).slice(0, 12);
  if (!top.length) return nothing;
  return html`<fieldset><legend>${name}</legend>${top.map(([value, number]) => html`<a class="tab" aria-current=${facet[name] === value ? "true" : "false"}
    href=${link("search", Object.fromEntries(Object.entries({q: words, ...facet, [name]: facet[name] === value ? "" : value}).filter(([, v]) => v)))}>${
    value} <span class="dim">${count(number)}</span></a>`)}</fieldset>`;
}
function results() {
  if (problem) return html`<p class="bad">${problem}</p>`;
  if (!words) return html`<p class="dim">Words are looked for in names, columns, first rows, texts and metadata. ros* finds rose and roster.</p>`;
  if (!found) return html`<p class="dim">asking …</p>`;
  const shown = found.documents.filter(each => fits(each));
  return html`<div class="columns facets"><div>${Object.keys(facets).map(choices)}</div><div>
    <p role="status" class="dim">${found.documents.length ? `${many(shown.length, "object")}${whole ? "" : `, the best ${MOST} were looked at`}`
      : "Nothing with these words."}</p>
    <ul class="list">${shown.slice(0, 100).map(result)}</ul></div></div>`;
}
export const view = () => html`<section class="card" aria-label="Search">
  <form class="row" role="search" @submit=${event => { event.preventDefault(); location.hash = link("search", {q: event.target.q.value.trim()}); }}>
    <label for="q">words</label> <input type="search" id="q" name="q" .value=${words}> <button class="main">Search</button></form>
  ${results()}</section>`;

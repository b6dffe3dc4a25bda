// The functions: what each is told, what it says, how long it takes, and a way to ask it something.
import {READ_ONLY, ask, attempt, copy, count, curl, duration, functions, html, link, nothing, query, redraw, writes} from "./common.js";
import {sparkline, spread} from "./charts.js";
import {phase} from "./flow.js";
import {onRecords} from "./live.js";
import {meter, readMeter} from "./meter.js";

const SECONDS = 600;
const KINDS = {bool: "true or false", str: "a text", int: "a whole number", float: "a number"};
const DEFAULTS = {None: "none", True: "true", False: "false"};
let name = "", detail = null, problem = "", asked = 0, timer = 0, answer = null;

export const title = given => given.get("name") ? `Function ${given.get("name")}` : "Functions";
export function enter(given) {
  name = given.get("name") || "";
  detail = answer = null;
  if (name) read();
}
async function read() {
  const mine = ++asked;
  try {
    const found = await ask("function?" + query({name}));
    if (mine !== asked) return;
    detail = found;
    problem = "";
  } catch (error) { if (mine === asked) problem = error.message; }
  redraw();
}
onRecords(records => {
  if (!name || timer || (records && !records.some(each => each.function === name)) || !location.hash.startsWith("#/functions?")) return;
  timer = setTimeout(() => { timer = 0; if (name) read(); }, 1000);
});
function lines(of) {
  const slots = meter.functions[of]?.slots || [], total = meter.functions[of]?.total;
  const rate = spread(slots, "count", meter.now, SECONDS), slowest = spread(slots, "slowest", meter.now, SECONDS);
  return html`<div class="row"><div><div class="small dim">requests in ten minutes: ${count(rate.reduce((a, b) => a + b, 0))}</div>
    ${sparkline(rate, "Requests in each ten seconds of the last ten minutes")}</div>
    <div><div class="small dim">slowest in ten minutes: ${duration(Math.max(...slowest))}</div>
    ${sparkline(slowest, "The slowest request in each ten seconds of the last ten minutes")}</div>
    ${total ? html`<p class="small dim">${count(total.count)} since the start, ${count(total.failed)} failed,
      mean ${duration(total.milliseconds / total.count)}, slowest ${duration(total.slowest)}</p>` : nothing}</div>`;
}
const card = f => html`<li class="card"><div class="row"><h2 class="grow"><a href=${link("functions", {name: f.name})}>${f.name}</a></h2>
    <span class=${`badge ${f.starting ? "starting" : f.replicas ? "up" : ""}`}>${phase(f)}</span></div>
  <p class="dim small key">${f.sources.join(" ") || "requests"} → ${f.sink || "the answer"}</p>${lines(f.name)}
  ${f.zero_after_seconds === null ? nothing : html`<p class="dim small">stops after ${f.zero_after_seconds} s without a request</p>`}</li>`;

function invoke(event) {
  event.preventDefault();
  const form = event.target;
  attempt(async () => {
    const since = performance.now();
    const response = await fetch(`/function/${encodeURIComponent(name)}/event`, {method: "POST",
      headers: {"Content-Type": "application/json"}, body: JSON.stringify({bucket: form.bucket.value, key: form.key.value})});
    const text = await response.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* a plain text is shown as it is */ }
    answer = {status: response.status, text: shown.slice(0, 20000), ms: performance.now() - since};
  });
}
function detailed() {
  const f = functions().find(each => each.name === name);
  if (problem) return html`<p class="bad">${problem}</p>`;
  if (!detail || !f) return html`<p class="dim">reading …</p>`;
  const first = f.sources[0]?.replace(/^s3:\/\//, "").split("/")[0] || "";
  return html`<p><a href=${link("functions")}>All functions</a></p>
    <section class="card" aria-label="State"><div class="row"><span class=${`badge ${f.replicas ? "up" : ""}`}>${phase(f)}</span>
      <span class="key">${f.sources.join(" ")} → ${f.sink || "the answer"}</span></div>${lines(name)}
      <p><a href=${link("events", {function: name})}>Its events</a></p></section>
    <section class="card" aria-labelledby="h-options"><h2 id="h-options">Options</h2>${detail.options.length ? html`
      <div class="scroll" tabindex="0" role="region" aria-label="Options, a table"><table><thead><tr><th scope="col">option</th><th scope="col">value</th>
        <th scope="col">default</th><th scope="col">accepts</th><th scope="col">what it does</th></tr></thead>
      <tbody>${detail.options.map(each => html`<tr><th scope="row"><code>${each.name}</code></th><td>${each.value ? html`<strong>${each.value}</strong>` : "default"}</td>
        <td>${DEFAULTS[each.default] ?? each.default}</td><td class="name">${each.accepts || (KINDS[each.kind] ?? each.kind)}</td><td class="name">${each.meaning}</td></tr>`)}</tbody></table></div>`
      : html`<p class="dim">It declares none.</p>`}</section>
    <section class="card" aria-labelledby="h-ask"><h2 id="h-ask">Send a test event</h2>
      ${writes() ? html`<form class="row" @submit=${invoke}><label for="in-bucket">bucket</label> <input id="in-bucket" name="bucket" required .value=${first}>
        <label for="in-key">key</label> <input id="in-key" name="key" required> <button class="main">Send</button>
        <button type="button" @click=${event => copy(curl(name, event.target.form.bucket.value, event.target.form.key.value))}>Copy as curl</button></form>` : html`<p class="dim">${READ_ONLY}</p>`}
      ${answer ? html`<p role="status">Answered <strong class=${answer.status < 400 ? "good" : "bad"}>${answer.status}</strong> in ${duration(answer.ms)}</p>
        <pre tabindex="0">${answer.text}</pre>` : nothing}</section>
    <section class="card" aria-labelledby="h-log"><h2 id="h-log">Log</h2><p class="dim small">whole log: ${detail.log}</p>
      <pre tabindex="0" class="log">${detail.lines.map(line => `${new Date(line.time * 1000).toLocaleTimeString()} ${line.text}\n`)}</pre></section>
    <section class="card" aria-labelledby="h-environment"><h2 id="h-environment">Environment</h2>
      <dl>${Object.entries(detail.environment).map(([key, value]) => html`<dt><code>${key}</code></dt><dd class="key">${value || "(empty)"}</dd>`)}</dl>
      <p class="dim small">Secrets by name, never their values: ${detail.secrets.join(", ") || "none"}. Folder: ${detail.folder}</p></section>`;
}
export function view() {
  readMeter();
  return name ? detailed() : html`<ul class="cards">${functions().map(card)}</ul>`;
}

// What flows where: the graph of the stack file, with what runs and what passes.
import {app, ask, count, duration, functions, html, link, many, nothing, redraw, refLink, retrying, svg} from "./common.js";
import {onRecords} from "./live.js";
import {meter, readMeter} from "./meter.js";
import {recentEvents} from "./events.js";
import {uploadPanel} from "./uploads.js";

const PASSING_MS = 1500;
let graph = null, drawnFor = "", problem = "";
const passing = new Map();

export const title = () => "Flow";
export function enter() { drawnFor = ""; }

onRecords(records => {
  for (const record of records || []) passing.set(record.function, Date.now());
  if (records) setTimeout(redraw, PASSING_MS + 50);
});
async function readGraph() {
  const names = JSON.stringify(functions().map(f => [f.name, f.sources, f.sink]));
  if (names === drawnFor) return;
  drawnFor = names;
  try { graph = await ask("flow"); problem = ""; } catch (error) { problem = error.message; }
  redraw();
}
const total = name => meter.functions[name]?.total;
const passed = (step, from, to) => from.kind === "function"
  ? meter.functions[from.name]?.outcomes.processed || 0 : total(to.name)?.count || 0;
export const phase = f => f.starting ? "starting" : !f.replicas ? "at zero" : f.in_flight ? "working" : "warm";

function place(node) {
  const f = node.kind === "function" ? functions().find(each => each.name === node.name) : null;
  const [wide, high] = graph.place, middle = wide / 2;
  const detail = f ? `${phase(f)} · ${f.replicas} running` : node.detail || node.kind;
  const to = f ? link("functions", {name: node.name}) : node.kind === "bucket" ? link("objects", {bucket: node.name}) : link("search");
  const cut = node.name.length > 20 ? node.name.slice(0, 19) + "…" : node.name;
  return svg`<a href=${to} aria-label=${`${node.kind} ${node.name}, ${detail}`}>
    <g class=${`place ${node.kind} ${f ? (f.replicas ? "up" : "down") : ""}`} transform="translate(${node.x} ${node.y})">
    <title>${node.name}</title>
    <rect width=${wide} height=${high} rx=${node.kind === "function" ? 10 : 3}></rect>
    <text x=${middle} y="20" text-anchor="middle">${cut}</text>
    <text class="detail" x=${middle} y="36" text-anchor="middle">${detail}</text></g></a>`;
}
function step(each) {
  const from = graph.places[each.from], to = graph.places[each.to];
  const name = from.kind === "function" ? from.name : to.name;
  const moves = Date.now() - (passing.get(name) || 0) < PASSING_MS;
  const number = passed(each, from, to);
  return svg`<path class=${moves ? "step passing" : "step"} d=${each.path} marker-end="url(#head)"></path>
    <text class="label" x=${each.at[0]} y=${each.at[1]} text-anchor="middle">${
      each.label.length > 18 ? each.label.slice(0, 17) + "…" : each.label}</text>
    <text class="label number" x=${each.at[0]} y=${each.at[1] + 19} text-anchor="middle">${number ? count(number) : ""}</text>`;
}
function drawing() {
  if (problem) return html`<p class="bad">${problem}</p>`;
  if (!graph) return html`<p class="dim">reading the stack file …</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Graph of the flow">
    <svg class="graph" viewBox="0 0 ${graph.width} ${graph.height}" width=${graph.width} height=${graph.height} role="group" aria-label="What flows where">
      <defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">
        <path d="M0 0L8 4L0 8z"></path></marker></defs>
      ${graph.steps.map(step)}${graph.places.map(place)}</svg></div>`;
}
function row(f) {
  const all = total(f.name), outcomes = meter.functions[f.name]?.outcomes || {};
  return html`<tr><th scope="row"><a href=${link("functions", {name: f.name})}>${f.name}</a></th>
    <td><span class=${`badge ${f.starting ? "starting" : f.replicas ? "up" : ""}`}>${phase(f)}</span></td>
    <td class="n">${f.replicas}</td><td class="n">${count(all?.count ?? f.invocations ?? 0)}</td>
    <td class="n">${count(outcomes.processed || 0)}</td><td class="n">${count(outcomes.refused || 0)}</td>
    <td class=${`n ${outcomes.failed ? "bad" : ""}`}>${count(outcomes.failed || 0)}</td>
    <td class="n">${all?.count ? duration(all.milliseconds / all.count) : ""}</td></tr>`;
}
export function view() {
  readGraph();
  readMeter();
  const waiting = app.state?.waiting || [];
  return html`
    <section class="card">${drawing()}</section>
    <div class="columns">
      <section class="card" aria-labelledby="h-running"><h2 id="h-running">Functions</h2>
        <div class="scroll" tabindex="0" role="region" aria-label="Functions, a table"><table>
        <thead><tr><th scope="col">function</th><th scope="col">state</th><th scope="col" class="n">running</th>
          <th scope="col" class="n">requests</th><th scope="col" class="n">processed</th><th scope="col" class="n">refused</th>
          <th scope="col" class="n">failed</th><th scope="col" class="n">mean time</th></tr></thead>
        <tbody>${functions().map(row)}</tbody></table></div>
        ${waiting.length ? html`<h3>Waiting for another attempt</h3><ul>${waiting.slice(0, 20).map(each => html`<li>
          ${each.function}: <a class="key" href=${refLink(each.object)}>${each.object}</a>, ${retrying(each)}:
          <span class="bad">${each.reason}</span></li>`)}</ul>` : nothing}
        ${app.state?.queues?.length ? html`<h3>Queues</h3><ul>${app.state.queues.map(each => html`<li>
          <span class="key">${each.name}</span>: ${count(each.count)} ${each.what}</li>`)}</ul>` : nothing}
        ${app.state?.dead ? html`<p class="bad">${many(app.state.dead, "event")} could not be dealt with.
          <a href=${link("dead")}>See why</a></p>` : nothing}
      </section>
      <section class="card" aria-labelledby="h-upload"><h2 id="h-upload">Upload</h2>${uploadPanel()}</section>
    </div>
    <section class="card" aria-labelledby="h-last"><h2 id="h-last">Last events</h2>${recentEvents()}</section>`;
}

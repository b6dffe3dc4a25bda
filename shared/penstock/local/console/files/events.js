// What happened, newest first. The newest page grows by itself; older ones stand still.
import {ask, duration, functions, html, link, nothing, objectLink, outcome, query, redraw, repeat, size, when} from "./common.js";
import {onRecords, startFrom} from "./live.js";

const PAGE = 200;
let records = [], wanted = {function: "", outcome: "", words: ""}, before = 0, problem = "", asked = 0, more = false;
const recent = {records: null, reading: false};

export const title = () => "Events";
export function enter(given) {
  wanted = {function: given.get("function") || "", outcome: given.get("outcome") || "", words: given.get("words") || ""};
  before = Number(given.get("before")) || 0;
  read();
}
async function read() {
  const mine = ++asked;
  try {
    const found = await ask("events?" + query({...wanted, before, limit: PAGE}));
    if (mine !== asked) return;
    startFrom(found.last_id);
    records = found.records;
    more = records.length === PAGE;
    problem = "";
  } catch (error) { if (mine === asked) problem = error.message; }
  redraw();
}
async function readRecent() {
  if (recent.reading) return;
  recent.reading = true;
  try {
    const found = await ask("events?limit=10");
    startFrom(found.last_id);
    recent.records = found.records;
    redraw();
  } catch { recent.reading = false; }
}
const matches = each => (!wanted.function || each.function === wanted.function)
  && (!wanted.outcome || each.outcome === wanted.outcome)
  && (!wanted.words || (each.object + "\n" + each.reason).toLowerCase().includes(wanted.words.toLowerCase()));

function joined(newest, old, most) {
  const known = new Set(old.map(each => each.n));
  return [...newest.filter(each => !known.has(each.n)).reverse(), ...old].slice(0, most);
}
onRecords(came => {
  if (came === null) { recent.reading = false; recent.records = null; if (location.hash.startsWith("#/events")) read(); return; }
  if (recent.records) recent.records = joined(came, recent.records, 10);
  if (before === 0 && location.hash.startsWith("#/events")) {
    records = joined(came.filter(matches), records, PAGE);
    more = records.length === PAGE;
  }
});
const row = each => html`<tr><td class="name">${each.key ? html`<a href=${objectLink(each.bucket, each.key)}>${each.object}</a>` : each.object}
    ${each.reason ? html`<div class=${each.status < 400 ? "dim small" : "bad small"}>${each.reason}</div>` : nothing}
    ${each.notes.map(note => html`<div class="dim small note">Note: ${note}</div>`)}</td>
  <td>${each.function}</td><td>${outcome(each)}</td><td class=${each.cold ? "cold" : "dim"}>${each.cold ? "cold" : "warm"}</td>
  <td class="n">${duration(each.ms)}</td><td class="n">${size(each.in)}</td><td class="n">${size(each.out)}</td><td class="n">${when(each.at)}</td></tr>`;

const table = shown => html`<div class="scroll" tabindex="0" role="region" aria-label="Events, a table"><table>
  <thead><tr><th scope="col">object</th><th scope="col">function</th><th scope="col">result</th><th scope="col">start</th>
    <th scope="col" class="n">time</th><th scope="col" class="n">in</th><th scope="col" class="n">out</th><th scope="col" class="n">when</th></tr></thead>
  <tbody>${repeat(shown, each => each.n, row)}</tbody></table></div>`;

export function recentEvents() {
  if (!recent.records) { readRecent(); return html`<p class="dim">reading …</p>`; }
  return recent.records.length ? table(recent.records)
    : html`<p class="dim">Nothing yet. Drop a file above to see a function start.</p>`;
}
export function view() {
  const go = change => { location.hash = link("events", Object.fromEntries(Object.entries({...wanted, ...change}).filter(([, v]) => v))); };
  return html`<section class="card" aria-label="Events">
    <form class="row" role="search" @submit=${event => { event.preventDefault(); go({words: event.target.words.value}); }}>
      <span class="pair"><label for="of">function</label> <select id="of" @change=${event => go({function: event.target.value})}>
        <option value="">all</option>${functions().map(f => html`<option value=${f.name} ?selected=${f.name === wanted.function}>${f.name}</option>`)}</select></span>
      <span class="pair"><label for="result">result</label> <select id="result" @change=${event => go({outcome: event.target.value})}>
        <option value="">all</option>${["processed", "refused", "failed", "removed", "answered"].map(each =>
          html`<option value=${each} ?selected=${each === wanted.outcome}>${each}</option>`)}</select></span>
      <label for="words">object or reason has</label> <input type="search" id="words" name="words" .value=${wanted.words}> <button>Filter</button></form>
    ${problem ? html`<p class="bad">${problem}</p>` : records.length ? table(records)
      : html`<p class="dim">Nothing ${wanted.function || wanted.outcome || wanted.words || before ? "that matches" : "yet"}.</p>`}
    <div class="row">${before ? html`<a class="button" href=${link("events", {...wanted})}>Newest</a>` : nothing}
      ${more ? html`<a class="button" href=${link("events", {...wanted, before: records.at(-1).n})}>Older</a>` : nothing}</div></section>`;
}

// Events that were given up, by their reason. What is dropped can be taken back.
import {READ_ONLY, app, ask, attempt, count, focusHeading, html, link, live, many, nothing, post, redraw, refLink, repeat, say, when,
  writes} from "./common.js";
import {onRecords} from "./live.js";

const SHOWN = 50;
let letters = null, problem = "", filter = "", seen = -1, asked = 0;
const chosen = new Set();

export const title = () => "Dead letters";
export function enter() { seen = -1; }
async function read() {
  const mine = ++asked;
  const found = [];
  try {
    for (let more = true; more;) {
      const page = await ask(`dead?after=${found.length ? found.at(-1).id : 0}`);
      found.push(...page.letters);
      more = page.more && found.length < 5000;
    }
    if (mine !== asked) return;
    letters = found;
    const known = new Set(found.map(each => each.id));
    for (const id of chosen) if (!known.has(id)) chosen.delete(id);
    problem = "";
  } catch (error) { if (mine === asked) problem = error.message; }
  redraw();
}
onRecords(records => { if (!records || records.some(each => each.status >= 400)) seen = -1; });

/** A reason without what differs from object to object: its name, and the number of an incident. */
function kind(letter) {
  const name = letter.object.slice(letter.object.lastIndexOf("/") + 1);
  const reason = letter.reason.replace(/ \(incident [0-9a-f]+\)/, "");
  return (name ? reason.replaceAll(name, "…") : reason) || `status ${letter.code}`;
}
const named = letter => letter.object || letter.origin;
function replay(ids, then = read) {
  return attempt(async () => {
    const {replayed} = await post("replay", {ids});
    say(`${many(replayed, "event")} sent again.`);
    then();
    focusHeading();
  });
}
function drop(ids, then = read) {
  return attempt(async () => {
    const {dropped, undo} = await post("dismiss", {ids});
    const restore = () => attempt(async () => {
      const {restored} = await post("restore", {undo});
      say(`${many(restored, "dead letter")} back again.`);
      then();
    });
    // Without a name they were too large to be kept.
    say(`${many(dropped, "dead letter")} dropped.`, undo ? restore : null);
    then();
    focusHeading();
  });
}
export function letterItem(letter, then = read, choose = false) {
  return html`<li class="letter">${choose ? html`<input type="checkbox" aria-label=${`Choose ${named(letter)}`} .checked=${live(chosen.has(letter.id))}
      @change=${event => { event.target.checked ? chosen.add(letter.id) : chosen.delete(letter.id); redraw(); }}>` : nothing}
    <div class="grow"><strong>${letter.function}</strong> ${letter.object
      ? html`<a class="key" href=${refLink(letter.object)}>${letter.object}</a>` : html`<span class="key">${letter.origin}</span>`}
      <span class="dim small">${when(letter.died)}</span><div class="small">${letter.reason}</div></div>
    ${writes() ? html`<span class="pair"><button aria-label=${`Replay ${named(letter)}`} @click=${() => replay([letter.id], then)}>Replay</button>
    <button aria-label=${`Drop ${named(letter)}`} @click=${() => drop([letter.id], then)}>Drop</button></span>` : nothing}</li>`;
}
function group([why, members]) {
  const ids = members.map(each => each.id);
  return html`<section class="card" aria-label=${why}><div class="row"><h2 class="grow">${why}&nbsp;<span class="count">${count(members.length)}</span></h2>
    ${writes() ? html`<button aria-label=${`Choose all with ${why}`} @click=${() => { ids.forEach(id => chosen.add(id)); redraw(); }}>Choose all</button>
    <button aria-label=${`Replay all with ${why}`} aria-describedby="no-undo" @click=${() => replay(ids)}>Replay ${count(ids.length)}</button>
    <button aria-label=${`Drop all with ${why}`} @click=${() => drop(ids)}>Drop ${count(ids.length)}</button>` : nothing}</div>
    <ul class="list">${repeat(members.slice(0, SHOWN), each => each.id, each => letterItem(each, read, writes()))}</ul>
    ${members.length > SHOWN ? html`<p class="dim small">and ${many(members.length - SHOWN, "more")}</p>` : nothing}</section>`;
}
export function view() {
  const now = app.state ? app.state.dead : 0;
  if (app.state && now !== seen) { seen = now; read(); }
  if (problem) return html`<p class="bad">${problem}</p>`;
  if (!letters) return html`<p class="dim">reading …</p>`;
  if (!letters.length) return html`<section class="card"><p>None. An event that is still tried again is not here: see
    <a href=${link("events")}>Events</a>.</p></section>`;
  const words = filter.toLowerCase();
  const shown = letters.filter(each => !words || `${each.function} ${named(each)} ${each.reason}`.toLowerCase().includes(words));
  const groups = new Map();
  for (const letter of shown) {
    const why = kind(letter);
    if (!groups.has(why)) groups.set(why, []);
    groups.get(why).push(letter);
  }
  const picked = shown.filter(each => chosen.has(each.id)).map(each => each.id), all = shown.map(each => each.id);
  return html`<section class="card" aria-label="What to do with them"><div class="row">
      <label for="filter">function, object or reason has</label>
      <input type="search" id="filter" .value=${live(filter)} @input=${event => { filter = event.target.value; redraw(); }}>
      <span role="status" class="dim">${many(shown.length, "dead letter")} in ${many(groups.size, "group")}, ${count(picked.length)} chosen</span></div>
    ${writes() ? html`<div class="row"><button class="main" aria-describedby="no-undo" ?disabled=${!picked.length} @click=${() => replay(picked)}>Replay chosen</button>
      <button ?disabled=${!picked.length} @click=${() => drop(picked)}>Drop chosen</button>
      <button aria-describedby="no-undo" @click=${() => replay(all)}>Replay all ${count(all.length)}</button>
      <button class="danger" @click=${() => drop(all)}>Drop all ${count(all.length)}</button></div>
      <p id="no-undo" class="dim small">Replay sends events to their functions at once: it cannot be undone. A drop can.</p>` : html`<p class="dim">${READ_ONLY}</p>`}</section>
    ${repeat([...groups].sort((a, b) => b[1].length - a[1].length), ([why]) => why, group)}`;
}

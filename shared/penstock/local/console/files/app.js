// The frame of the console: navigation, one view at a time, and the line that says what was done.
import {render} from "./vendor/lit-html/lit-html.js";
import {app, focusHeading, html, link, many, nothing, onDraw, redraw} from "./common.js";
import {listen} from "./live.js";
import * as flow from "./flow.js";
import * as objects from "./objects.js";
import * as object from "./object.js";
import * as events from "./events.js";
import * as dead from "./dead.js";
import * as search from "./search.js";
import * as functions from "./functions.js";
import * as savings from "./savings.js";

const views = {flow, objects, object, events, dead, search, functions, savings};
const menu = [["flow", "Flow"], ["objects", "Objects"], ["events", "Events"], ["dead", "Dead letters"],
  ["search", "Search"], ["functions", "Functions"], ["savings", "Savings"]];
let current = "", given = new URLSearchParams();

function route() {
  const [name, rest] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const moved = current !== "";
  current = name in views ? name : "flow";
  given = new URLSearchParams(rest || "");
  app.message = "";
  views[current].enter(given);
  document.title = `${views[current].title(given)} · Penstock`;
  redraw();
  if (moved) focusHeading();
}
function summary() {
  if (app.connection) return html`<span class="bad">${app.connection}</span>`;
  if (!app.state) return "connecting …";
  const running = app.state.functions.filter(f => f.replicas).length;
  return `${app.state.where ? `${app.state.where} · ` : ""}${running} of ${many(app.state.functions.length, "function")} running · ${many(app.state.pending, "event")} waiting`;
}
/** What does not answer, and what this platform does not tell. */
function notes() {
  const {problems = [], notes = {}} = app.state || {};
  return html`${problems.map(each => html`<p class="bad">${each}</p>`)}${
    notes[current] ? html`<p class="dim">${notes[current]}</p>` : nothing}`;
}
function page() {
  const letters = app.state ? app.state.dead : 0;
  const shown = current === "object" ? "objects" : current;
  return html`
    <a class="skip" href="#main" @click=${event => { event.preventDefault(); document.querySelector("h1").focus(); }}>
      To the content</a>
    <header>
      <a class="brand" href=${link("flow")}><img src="files/icon.svg" alt="" width="28" height="28">Penstock</a>
      <nav aria-label="Views"><ul>${menu.map(([name, title]) => html`<li><a href=${link(name)}
        aria-current=${name === shown ? "page" : "false"}>${title}${name === "dead" && letters
          ? html` <span class="count">${letters}<span class="sr"> waiting</span></span>` : nothing}</a></li>`)}</ul></nav>
      <span class="summary" role="status">${summary()}</span>
    </header>
    <main id="main">
      <h1 tabindex="-1">${views[current].title(given)}</h1>
      ${notes()}
      ${views[current].view()}
    </main>
    <div class="message" role="status">${app.message ? html`<p>${app.message}
      ${app.undo ? html`<button @click=${() => { const undo = app.undo; app.undo = null; undo(); }}>Undo</button>` : nothing}
      <button aria-label="Close this message" @click=${() => { app.message = ""; app.undo = null; redraw(); }}>Close</button>
      </p>` : nothing}</div>`;
}
onDraw(() => render(page(), document.getElementById("page")));
addEventListener("hashchange", route);
setInterval(() => { if (!document.hidden) redraw(); }, 5000);  // ages move
route();
listen();

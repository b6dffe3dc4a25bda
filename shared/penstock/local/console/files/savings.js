// How many bytes went into functions and came out as objects, since the start and over the last hour.
import {count, html, nothing, saved, saving, size} from "./common.js";
import {pairs, spread} from "./charts.js";
import {meter, readMeter} from "./meter.js";

const SECONDS = 3600;
export const title = () => "Savings";
export function enter() {}

const row = ([name, {total, outcomes}]) => html`<tr><th scope="row">${name}</th><td class="n">${count(outcomes.processed || 0)}</td>
  <td class="n">${size(total.bytes_in)}</td><td class="n">${size(total.bytes_out)}</td>
  <td class="n">${size(Math.max(0, total.bytes_in - total.bytes_out))}</td><td class="n">${saving(total.bytes_in, total.bytes_out)}</td></tr>`;

export function view() {
  readMeter();
  const making = Object.entries(meter.functions).filter(([, each]) => each.total.bytes_in);
  if (!making.length) return html`<section class="card"><p class="dim">Nothing yet: no function has made an object of an object since the
    stack was started.</p></section>`;
  const before = making.reduce((sum, [, each]) => sum + each.total.bytes_in, 0);
  const after = making.reduce((sum, [, each]) => sum + each.total.bytes_out, 0);
  const slots = making.flatMap(([, each]) => each.slots);
  const ins = spread(slots, "bytes_in", meter.now, SECONDS), outs = spread(slots, "bytes_out", meter.now, SECONDS);
  return html`<section class="card" aria-labelledby="h-sum"><h2 id="h-sum">Since the start</h2>
      <p class="large"><strong>${size(before)}</strong> became <strong>${size(after)}</strong>${before > after ? html`:
        <span class="good">${saved(before, after)} % saved</span>` : nothing}</p>
      <div class="scroll" tabindex="0" role="region" aria-label="Savings, a table"><table><thead><tr><th scope="col">function</th><th scope="col" class="n">objects</th>
        <th scope="col" class="n">in</th><th scope="col" class="n">out</th><th scope="col" class="n">saved</th><th scope="col" class="n">share</th></tr></thead>
      <tbody>${making.map(row)}</tbody></table></div></section>
    <section class="card" aria-labelledby="h-hour"><h2 id="h-hour">The last hour</h2>
      <p class="small"><span class="swatch before"></span> in, <span class="swatch after"></span> out, each minute</p>
      ${pairs(ins, outs, `Bytes in and out in each minute of the last hour: ${size(before)} in and ${size(after)} out since the start`,
        ["an hour ago", "now", `up to ${size(Math.max(...ins, ...outs))} a minute`])}</section>`;
}

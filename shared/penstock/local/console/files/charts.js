// Small drawings of numbers over time. Each is a picture with its meaning as a text.
import {svg, html} from "./common.js";

/** The sums of a field in `parts` equal parts of the last `seconds`, oldest first. */
export function spread(slots, field, now, seconds, parts = 60) {
  const sums = new Array(parts).fill(0);
  for (const slot of slots) {
    const at = Math.floor((slot.start - (now - seconds)) / seconds * parts);
    if (at >= 0 && at < parts) sums[at] += slot[field];
  }
  return sums;
}
export function sparkline(values, label) {
  const top = Math.max(...values, 1e-9), wide = 160, high = 36, step = wide / Math.max(1, values.length);
  return html`<svg class="spark" viewBox="0 0 ${wide} ${high}" width=${wide} height=${high} role="img" aria-label=${label}>
    ${values.map((value, at) => svg`<rect x=${(at * step).toFixed(1)} width=${Math.max(1, step - .6).toFixed(1)}
      y=${(high - value / top * high).toFixed(1)} height=${(value / top * high).toFixed(1)}></rect>`)}
    <line x1="0" x2=${wide} y1=${high} y2=${high}></line></svg>`;
}
/** Two rows of bars beside each other: before and after. */
export function pairs(before, after, label, words) {
  const top = Math.max(...before, ...after, 1), wide = 900, high = 220, step = wide / before.length;
  const bar = (value, x, name) => svg`<rect class=${name} x=${x.toFixed(1)} width=${(step * .42).toFixed(1)}
    y=${(high - value / top * high).toFixed(1)} height=${(value / top * high).toFixed(1)}></rect>`;
  return html`<p class="small dim">${words[2]}</p>
    <svg class="pairs" viewBox="0 0 ${wide} ${high}" preserveAspectRatio="none" role="img" aria-label=${label}>
    ${before.map((value, at) => [bar(value, at * step, "before"), bar(after[at], at * step + step * .45, "after")])}
    <line x1="0" x2=${wide} y1=${high} y2=${high}></line></svg>
    <p class="small dim ends"><span>${words[0]}</span><span>${words[1]}</span></p>`;
}

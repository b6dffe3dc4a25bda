// What went through each function, read anew when something happened and a view shows it.
import {ask, redraw} from "./common.js";
import {onRecords} from "./live.js";

export const meter = {functions: {}, now: 0, slot_seconds: 10};
let stale = true, reading = false, shown = 0;

export async function readMeter() {
  shown = Date.now();
  if (reading || !stale) return;
  reading = true;
  stale = false;
  try { Object.assign(meter, await ask("meter")); redraw(); } catch { stale = true; }
  setTimeout(() => { reading = false; if (stale && Date.now() - shown < 6000) readMeter(); }, 1000);
}
onRecords(() => { stale = true; if (Date.now() - shown < 6000) readMeter(); });

// Figures, spans of time and values as a person reads them.

const COUNT = new Intl.NumberFormat("en");
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const count = (n) => COUNT.format(n);

// 12 of 100 as `12 %`; never 0 or 100 % for what is not all or nothing.
export function share(part, whole) {
  if (!whole) return "–";
  const percent = (100 * part) / whole;
  if (part > 0 && percent < 0.1) return "< 0.1 %";
  if (part < whole && percent > 99.9) return "> 99.9 %";
  return `${percent >= 10 && percent < 99 ? percent.toFixed(0) : trim(percent.toFixed(1))} %`;
}

export function rate(n) {
  if (n === 0) return "0";
  return n < 10 ? trim(n.toPrecision(2)) : count(Math.round(n));
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
  if (value < 0.01) return `${trim((value * 1000).toFixed(1))} ms`;
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  return value < 10 ? `${trim(value.toFixed(2))} s` : `${Math.round(value)} s`;
}

export function span(value) {
  const whole = Math.max(0, Math.round(value));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export const ago = (time, now) => (now - time < 1.5 ? "just now" : `${span(now - time)} ago`);
export const clock = (time) => TIME.format(time * 1000);
export const moment = (time) => DAY.format(time * 1000);

export function bytes(n) {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024]]) {
    if (n >= size) return `${trim((n / size).toFixed(1))} ${unit}`;
  }
  return `${n} B`;
}

// One side of a difference as text; what is absent is no text at all.
export function value(it) {
  if (it === null || it === undefined) return null;
  return typeof it === "string" ? it : JSON.stringify(it, null, typeof it === "object" ? 1 : 0);
}

const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

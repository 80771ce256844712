// Plots: stacked areas and lines over time, a distribution, a share bar, a spark line. SVG stretches with its
// box, so text stands beside it, in HTML.

import { h } from "./dom.js";
import { clock, share } from "./format.js";

const HEIGHT = 100;
const SHORTEST = 3; // seconds of a step: shorter ones are mostly jitter
const marks = new Map(); // chart → the position under the pointer or chosen with the arrow keys
let redraw = () => {};

export function whenMarked(callback) {
  redraw = callback;
}

// Points per second (or per 20 s) gathered into at most `most` steps; the last, incomplete one is left out. While
// there are few, the plot shows a shorter time.
export function steps(series, names, most = 100) {
  const span = Math.max(series.points.length, series.length / 4);
  const k = Math.ceil(Math.max(span / most, SHORTEST / series.every));
  const first = series.next - series.points.length;
  const end = Math.floor(series.next / k) * k;
  const wanted = Math.floor(span / k);
  const out = [];
  for (let start = end - wanted * k; start < end; start += k) {
    const rows = [];
    for (let i = Math.max(start, first); i < start + k; i++) rows.push(series.points[i - first]);
    out.push({ age: (series.next - start - k) * series.every, rows, seconds: rows.length * series.every });
  }
  return out.map((step) => ({ age: step.age, ...summed(step, names) }));
}

function summed(step, names) {
  const values = {};
  for (const [name, { at, kind }] of Object.entries(names)) {
    const found = step.rows.map((row) => row[at]).filter((v) => v !== null);
    const sum = found.reduce((a, b) => a + b, 0);
    if (kind === "rate") values[name] = step.seconds ? sum / step.seconds : 0;
    else if (kind === "sum") values[name] = sum;
    else values[name] = found.length ? sum / found.length : null;
  }
  return values;
}

// layers: [{name, label, values: number per step}], drawn one upon the other.
export function stackedChart(id, { title, note, ages, layers, format, top, now }) {
  const n = ages.length;
  const sums = ages.map((_, i) => layers.reduce((sum, layer) => sum + layer.values[i], 0));
  const high = top || niceTop(Math.max(...sums, 0));
  const base = new Array(n).fill(0);
  const runs = top ? runsOf(sums) : [[0, n - 1]]; // shares of nothing are no shares
  const areas = layers.map((layer) => {
    const lower = base.map((v) => y(v, high));
    layer.values.forEach((v, i) => (base[i] += v));
    const upper = base.map((v) => y(v, high));
    return h("path", { class: `area c-${layer.name}`, d: runs.map(([from, to]) => band(upper, lower, from, to)).join("") || "M0 0" });
  });
  const told = top ? layers.map((layer) => ({ ...layer, values: layer.values.map((v, i) => (sums[i] ? v : null)) })) : layers;
  return chart(id, { title, note, ages, areas, layers: told, format: (v) => (v === null ? "–" : format(v)), ticks: halves(high), now });
}

// The first and last index of every stretch without zeros.
function runsOf(values) {
  const runs = [];
  values.forEach((v, i) => {
    if (!v) return;
    if (i && values[i - 1]) runs.at(-1)[1] = i;
    else runs.push([i, i]);
  });
  return runs;
}

// The area between two edges from one step to another; a single step has some width, too.
function band(upper, lower, from, to) {
  const steps = from < to ? Array.from({ length: to - from + 1 }, (_, i) => [from + i, from + i]) : [[from - 0.4, from], [from + 0.4, from]];
  const edge = steps.map(([x, i]) => `${x} ${upper[i]}`);
  const back = steps.map(([x, i]) => `${x} ${lower[i]}`).reverse();
  return `M${edge.join("L")}L${back.join("L")}Z`;
}

// lines: [{name, label, values: number or null per step}], on a logarithmic scale.
export function lineChart(id, { title, note, ages, lines, format, now }) {
  const scale = logarithmic(lines.flatMap((line) => line.values).filter((v) => v > 0));
  const areas = lines.map((line) =>
    h("path", { class: `line c-${line.name} ${line.style || ""}`, d: brokenLine(line.values, scale.at) }),
  );
  return chart(id, { title, note, ages, areas, layers: lines, format, ticks: scale.ticks, now });
}

function brokenLine(values, at) {
  let path = "";
  let drawing = false;
  values.forEach((v, i) => {
    if (v !== null) path += drawing ? `L${i} ${at(v)}` : `M${i} ${at(v)}h0`; // a lone point is a dot
    drawing = v !== null;
  });
  return path || "M0 0";
}

// From a round value below the least to one above the greatest; its ticks are powers of ten, or closer where those are few.
function logarithmic(values) {
  const low = neat(Math.min(...values, Infinity), -1) ?? 0.001;
  const high = Math.max(neat(Math.max(...values, 0), 1) ?? 1, 2 * low);
  const at = (v) => Math.round((1 - Math.log(Math.max(v, low) / low) / Math.log(high / low)) * HEIGHT * 10) / 10;
  const close = [];
  for (let v = low; v < high * 1.001; v = neat(v * 1.01, 1)) close.push(v);
  const powers = close.filter((v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6);
  const ticks = close.length > 6 && powers.length > 1 ? powers : close;
  return { at, ticks: ticks.map((value) => ({ value, at: at(value) })).reverse() };
}

// The next 1, 2 or 5 times a power of ten, upwards or downwards.
function neat(v, direction) {
  if (!Number.isFinite(v) || v <= 0) return null;
  const power = 10 ** Math.floor(Math.log10(v) + 1e-9);
  const steps = [1, 2, 5, 10].map((m) => Number((m * power).toPrecision(3)));
  return direction > 0 ? steps.find((step) => step >= v * 0.999) : steps.findLast((step) => step <= v * 1.001);
}

// ticks: [{value, at}] with `at` from 0 at the top to 100 at the bottom.
function chart(id, { title, note, ages, areas, layers, format, ticks, now }) {
  const n = ages.length;
  const mark = marks.get(id);
  const at = mark === undefined ? null : Math.min(mark, n - 1);
  const shown = at === null ? n - 1 : at;
  const when = at === null ? "now" : now ? clock(now - ages[at]) : "";
  const legend = layers.map((layer) =>
    h("li", { class: `c-${layer.name}` }, h("i", { class: `dot ${layer.style || ""}` }), layer.label, " ",
      h("b", null, format(layer.values[shown]))),
  );
  const spoken = layers.map((layer) => `${layer.label} ${format(layer.values[shown])}`).join(", ");
  return h("figure", { class: "chart", key: id },
    h("figcaption", null, h("h3", null, title), note ? h("span", { class: "note" }, note) : null,
      h("ul", { class: "legend" }, legend)),
    h("div", { class: "plot", tabindex: "0", role: "img", "aria-label": `${title}, ${when}: ${spoken}`, ...handlers(id, n) },
      h("svg", { viewBox: `0 0 ${n - 1} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
        grid(n, ticks), areas, at === null ? null : h("path", { class: "cross", d: `M${at} 0V${HEIGHT}` })),
      labels(ticks, format)),
    h("p", { class: "x", "aria-hidden": "true" }, h("span", null, ago(ages[0])), h("span", null, at === null ? "" : when),
      h("span", null, "now")),
  );
}

// bounds: upper edges of the bins in seconds; curves: [{name, label, counts}].
export function distribution(id, { title, note, bounds, curves, format }) {
  const [low, high] = extent(curves);
  if (high < 0) return empty(id, title, "Nothing measured yet.");
  const bins = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const shares = curves.map((curve) => {
    const total = curve.counts.reduce((a, b) => a + b, 0) || 1;
    return bins.map((bin) => (curve.counts[bin] || 0) / total);
  });
  const top = niceTop(Math.max(...shares.flat()));
  const ticks = halves(top);
  const areas = curves.map((curve, c) => {
    return h("path", { class: `${curve.style || "area"} step c-${curve.name}`, d: stairs(shares[c], top) });
  });
  const n = bins.length;
  const mark = marks.get(id);
  const at = mark === undefined ? null : Math.min(mark, n - 1);
  const range = at === null ? "" : `${format(bounds[bins[at] - 1] || 0)} to ${format(bounds[bins[at]])}`;
  const legend = curves.map((curve, c) =>
    h("li", { class: `c-${curve.name}` }, h("i", { class: `dot ${curve.style || ""}` }), curve.label, " ",
      h("b", null, at === null ? curve.summary : share(shares[c][at], 1))));
  const spoken = curves.map((curve) => `${curve.label}: ${curve.summary}`).join("; ");
  return h("figure", { class: "chart", key: id },
    h("figcaption", null, h("h3", null, title), h("span", { class: "note" }, range || note), h("ul", { class: "legend" }, legend)),
    h("div", { class: "plot", tabindex: "0", role: "img", "aria-label": `${title}. ${spoken}`, ...handlers(id, n, true) },
      h("svg", { viewBox: `0 0 ${n} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
        grid(n + 1, ticks), areas, at === null ? null : h("rect", { class: "bin", x: at, y: 0, width: 1, height: HEIGHT })),
      labels(ticks, (v) => share(v, 1))),
    h("p", { class: "x", "aria-hidden": "true" }, [0, 0.25, 0.5, 0.75, 1].map((part) =>
      h("span", null, format(bounds[Math.min(high, Math.max(0, low - 1 + Math.round(part * n)))])))),
  );
}

function stairs(values, top) {
  return `M0 ${HEIGHT}${values.map((v, i) => `V${y(v, top)}H${i + 1}`).join("")}V${HEIGHT}Z`;
}

function extent(curves) {
  let low = Infinity;
  let high = -1;
  for (const { counts } of curves) {
    counts.forEach((n, i) => {
      if (n) {
        low = Math.min(low, i);
        high = Math.max(high, i);
      }
    });
  }
  return [Math.max(0, low - 1), high < 0 ? -1 : high + 1];
}

// parts: [{name, label, n}], as one bar; nothing at all is an empty bar.
export function shareBar(parts, label) {
  const total = parts.reduce((sum, part) => sum + part.n, 0);
  const text = parts.filter((part) => part.n).map((part) => `${part.label} ${share(part.n, total)}`).join(", ");
  return h("div", { class: "share", role: "img", "aria-label": `${label}: ${text || "nothing yet"}`, title: text || "nothing yet" },
    parts.filter((part) => part.n).map((part) => h("i", { class: `c-${part.name}`, grow: part.n / total, key: part.name })));
}

// pairs: [good, bad] per step, oldest first.
export function spark(pairs, label) {
  const n = Math.max(2, pairs.length);
  const top = Math.max(1, ...pairs.map(([good, bad]) => good + bad));
  const line = (values) => values.map((v, i) => `${i} ${y(v, top)}`).join("L") || "0 100";
  const all = pairs.map(([good, bad]) => good + bad);
  const bads = pairs.map(([, bad]) => bad);
  return h("svg", { class: "spark", viewBox: `0 0 ${n - 1} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    h("path", { class: "area c-delivered", d: `M0 ${HEIGHT}L${line(all)}L${Math.max(0, pairs.length - 1)} ${HEIGHT}Z` }),
    h("path", { class: "area c-failed", d: `M0 ${HEIGHT}L${line(bads)}L${Math.max(0, pairs.length - 1)} ${HEIGHT}Z` }));
}

export function empty(id, title, words) {
  return h("figure", { class: "chart", key: id }, h("figcaption", null, h("h3", null, title)), h("p", { class: "nothing" }, words));
}

const halves = (high) => [{ value: high, at: 0 }, { value: high / 2, at: HEIGHT / 2 }];

function grid(n, ticks) {
  return h("path", { class: "grid", d: [...ticks.map(({ at }) => at), HEIGHT].map((v) => `M0 ${v}H${n - 1}`).join("") });
}

function labels(ticks, format) {
  return ticks.map(({ value, at }) => h("span", { class: at < HEIGHT ? "y" : "y base", "top%": at, key: value }, format(value)));
}

function handlers(id, n, bins = false) {
  const place = (at) => {
    if (at === null) marks.delete(id);
    else marks.set(id, Math.max(0, Math.min(n - 1, at)));
    redraw();
  };
  return {
    onpointermove: (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      const part = (event.clientX - box.left) / box.width;
      place(bins ? Math.floor(part * n) : Math.round(part * (n - 1)));
    },
    onpointerleave: () => place(null),
    onblur: () => place(null),
    onkeydown: (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") place(null);
      if (move === undefined) return;
      event.preventDefault();
      place((marks.get(id) ?? (bins ? 0 : n - 1)) + move);
    },
  };
}

const y = (v, high) => Math.round((1 - (high ? v / high : 0)) * HEIGHT * 10) / 10;
const ago = (age) => (age < 90 ? `${Math.round(age)} s ago` : age < 5400 ? `${Math.round(age / 60)} min ago` : `${Math.round(age / 3600)} h ago`);

// A number with few digits, above `v`, whose half has few digits too.
function niceTop(v) {
  if (v <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((m) => m * power).find((m) => m >= v * 1.02) || 20 * power;
}

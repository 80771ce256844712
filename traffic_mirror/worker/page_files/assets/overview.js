// At a glance: what is mirrored, whether the other side agrees, how every destination does.

import { h } from "./dom.js";
import { distribution, empty, lineChart, shareBar, spark, stackedChart, steps } from "./charts.js";
import { ago, bytes, count, rate, seconds, share } from "./format.js";
import { HEALTH, OUTCOMES, VERDICTS, agreement, parts, verdictWords } from "./words.js";
import { kindOf, placeOf, seconds as unix } from "./differences.js";
import { failureRows } from "./failures.js";

const OUTCOME_NAMES = OUTCOMES.map(({ name }) => name);
const VERDICT_NAMES = VERDICTS.map(({ name }) => name);
const RANGES = [["fine", "5 minutes"], ["coarse", "2 hours"]];

export function overview(app) {
  const { page } = app;
  const title = h("h1", { class: "unseen", key: "title" }, "Overview");
  if (!page.selected) return [title, welcome(page), destinations(app)];
  return [
    title,
    figures(app),
    charts(app),
    destinations(app),
    h("div", { class: "columns" }, topDifferences(page), topFailures(page)),
  ];
}

function welcome({ spec }) {
  return h("section", { class: "card welcome", key: "welcome" },
    h("h2", null, "Ready, and no request has matched a rule yet"),
    h("p", null, `${count(spec.rules)} ${spec.rules === 1 ? "rule" : "rules"} of `, h("code", null, spec.file),
      `${spec.rules === 1 ? " is" : " are"} in force. Send a request through the proxy that a rule takes, and it shows here.`),
    h("p", null, "To see which rule would take a request, and why the others do not: ",
      h("code", null, `python -m traffic_mirror explain ${spec.file} GET URL`)));
}

// --- the four figures ---

// What the numbers of a point are, and how several points become one.
function columns(page) {
  const kind = (name) => (OUTCOME_NAMES.includes(name) ? "rate" : VERDICT_NAMES.includes(name) ? "sum" : "mean");
  return Object.fromEntries(page.fields.map((name, at) => [name, { at, kind: kind(name) }]));
}

function figures({ page, fine }) {
  const last = steps(fine, columns(page), 100).slice(-4);
  const perSecond = last.length ? last.reduce((sum, s) => sum + s.delivered + s.failed + s.dropped, 0) / last.length : 0;
  const { outcomes, verdicts } = page;
  const tried = outcomes.delivered + outcomes.failed + outcomes.dropped;
  const agrees = agreement(verdicts);
  const queued = page.destinations.reduce((sum, d) => sum + d.queue_copies, 0);
  return h("section", { class: "figures", "aria-label": "Figures", key: "figures" },
    figure("Copies", count(page.selected), `${rate(perSecond)} per second now`,
      shareBar(parts(OUTCOMES, outcomes), "Copies by outcome"), "#ledger"),
    figure("Delivered", share(outcomes.delivered, tried), `${count(outcomes.failed)} failed, ${count(outcomes.dropped)} dropped`,
      shareBar(parts(OUTCOMES.slice(0, 3), outcomes), "Copies that were tried"), "#failures",
      outcomes.failed + outcomes.dropped ? "attention" : "fine"),
    figure("Answers that match", agrees === null ? "–" : share(verdicts.match, verdicts.match + verdicts.differ),
      agrees === null ? "none compared yet" : `${count(verdicts.differ)} differ, ${count(verdicts.incomparable)} incomparable`,
      shareBar(parts(VERDICTS, verdicts), "Verdicts"), "#differences", verdicts.differ ? "differs" : "fine"),
    figure("Under way", count(page.in_flight), queued ? `${count(queued)} of them queued` : "nothing is queued",
      load(page.destinations)),
  );
}

function figure(title, main, sub, bar, link, tone = "") {
  return h(link ? "a" : "div", { class: `card figure ${tone}`, href: link, key: title },
    h("h2", null, title), h("p", { class: "main" }, main), bar, h("p", { class: "sub" }, sub));
}

function load(list) {
  const room = list.reduce((sum, d) => sum + d.max_in_flight, 0);
  const used = list.reduce((sum, d) => sum + d.in_flight, 0);
  return meter(used, room, `${count(used)} of ${count(room)} places in use`);
}

function meter(n, most, label) {
  const part = most ? Math.min(1, n / most) : 0;
  return h("div", { class: `meter ${part > 0.9 ? "full" : ""}`, role: "img", "aria-label": label, title: label },
    h("i", { "width%": 100 * part }));
}

// --- plots ---

function charts(app) {
  const { ui, page } = app;
  const series = app[ui.range];
  const s = steps(series, columns(page));
  if (s.length < 2) return h("section", { key: "charts" }, empty("wait", "Plots", "They begin in a few seconds."));
  const ages = s.map((step) => step.age);
  const layer = ({ name, label }) => ({ name, label, values: s.map((step) => step[name]) });
  const compared = s.map((step) => step.match + step.differ + step.incomparable);
  const verdict = ({ name, label }) => ({ name, label, values: s.map((step, i) => (compared[i] ? (100 * step[name]) / compared[i] : 0)) });
  const line = (name, label, source, style) => ({ name, label, style, values: s.map((step) => step[source]) });
  const { now } = page;
  return h("section", { class: "charts", "aria-label": "Plots", key: "charts" },
    h("div", { class: "title" }, h("h2", null, "Over time"),
      h("div", { class: "range", role: "group", "aria-label": "Time shown" }, RANGES.map(([id, words]) =>
        h("button", { type: "button", "aria-pressed": String(ui.range === id), onclick: () => app.change({ range: id }), key: id }, words)))),
    h("div", { class: "grid2" },
      stackedChart("rates", { title: "Copies per second", ages, now, layers: OUTCOMES.map(layer), format: rate }),
      page.verdicts.match + page.verdicts.differ + page.verdicts.incomparable
        ? stackedChart("verdicts", { title: "Verdicts", ages, now, layers: VERDICTS.map(verdict).reverse(), top: 100, format: (v) => share(v, 100) })
        : empty("verdicts", "Verdicts", "No answers are compared. Add `compare: true` to a rule, or turn inspection on."),
      lineChart("latency", { title: "Latency", note: "to the last byte, on a logarithmic scale", ages, now, format: seconds, lines: [
        line("copy", "copy, median", "copy_p50"), line("copy", "95 %", "copy_p95", "dashed"),
        line("primary", "primary, median", "primary_p50"), line("primary", "95 %", "primary_p95", "dashed")] }),
      latencies(app)),
  );
}

function latencies({ page, ui, change }) {
  const known = page.destinations.filter((d) => d.copy.count);
  if (!known.length) return empty("spread", "Latency distribution", "No copy has been answered yet.");
  const chosen = known.find((d) => d.destination === ui.destination) ?? known[0];
  const curve = (name, label, from, style) => ({ name, label, style, counts: from.histogram,
    summary: from.count ? `${seconds(from.p50)} / ${seconds(from.p99)}` : "–" });
  const plot = distribution("spread", { title: "Latency distribution", note: "median / 99 %", bounds: page.bounds, format: seconds,
    curves: [curve("copy", "copy", chosen.copy), curve("primary", "primary", chosen.primary, "outline")] });
  if (known.length > 1) {
    plot.children[0].children.splice(1, 0, h("select", { "aria-label": "Destination", onchange: (event) => change({ destination: event.target.value }) },
      known.map((d) => h("option", { value: d.destination, selected: d === chosen, key: d.destination }, d.destination))));
  }
  return plot;
}

// --- destinations ---

function destinations(app) {
  const { page, ui } = app;
  const more = page.destinations_total - page.destinations.length;
  return h("section", { class: "destinations", key: "destinations", "aria-labelledby": "destinations-title" },
    h("div", { class: "title" }, h("h2", { id: "destinations-title" }, "Destinations"),
      page.destinations_total > 12 || ui.destinations ? h("input", { type: "search", placeholder: "Filter destinations", "aria-label": "Filter destinations",
        value: ui.destinations, oninput: (event) => app.change({ destinations: event.target.value }) }) : null),
    page.destinations.length ? h("div", { class: "cards" }, page.destinations.map(destination)) : h("p", { class: "nothing" }, ui.destinations ? "None matches the filter." : "None."),
    more > 0 ? h("p", { class: "note" }, `${count(more)} more, less busy; filter to find one.`) : null);
}

function destination(d) {
  const [tone, words] = HEALTH[d.health];
  const tried = d.outcomes.delivered + d.outcomes.failed + d.outcomes.dropped;
  const { match, differ, incomparable } = d.verdicts;
  return h("article", { class: `card destination ${tone}`, key: d.destination },
    h("header", null, h("h3", { title: d.destination }, d.destination), h("span", { class: `pill ${tone}` }, h("i", { class: "lamp" }), words)),
    d.url === d.destination ? null : h("p", { class: "url", title: d.url }, d.url),
    spark(d.recent, "Copies of the last five minutes; those that failed or were dropped in red"),
    h("dl", null,
      row("Delivered", tried ? [h("b", null, share(d.outcomes.delivered, tried)), ` of ${count(tried)}`] : "nothing yet"),
      row("In flight", meter(d.in_flight, d.max_in_flight, `${count(d.in_flight)} of ${count(d.max_in_flight)}`),
        h("span", { class: "num" }, `${count(d.in_flight)} / ${count(d.max_in_flight)}`)),
      row("Queue", meter(Math.max(d.queue_copies / (d.queue_limit || 1), d.queue_bytes / (d.queue_bytes_limit || 1)), 1, `${count(d.queue_copies)} of ${count(d.queue_limit)} copies, ${bytes(d.queue_bytes)} of ${bytes(d.queue_bytes_limit)}`),
        h("span", { class: "num" }, d.queue_copies ? `${count(d.queue_copies)}, ${bytes(d.queue_bytes)}` : "empty"))),
    h("table", { class: "times" },
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "Latency"), ["50 %", "90 %", "99 %"].map((p) => h("th", { scope: "col", key: p }, p)))),
      h("tbody", null, times("copy", d.copy), times("primary", d.primary))),
    match + differ + incomparable ? shareBar(parts(VERDICTS, d.verdicts), "Verdicts") : null,
    h("p", { class: "sub" }, differ ? [h("b", { class: "differs" }, verdictWords(d.verdicts)), ` of ${count(match + differ)} compared`]
      : match ? `none of ${count(match)} compared differs` : verdictWords(d.verdicts),
      incomparable ? `, ${count(incomparable)}${match + differ ? " incomparable" : ""}` : ""));
}

function row(name, ...what) {
  return h("div", null, h("dt", null, name), h("dd", null, what));
}

function times(name, t) {
  return h("tr", { class: `c-${name}` }, h("th", { scope: "row" }, h("i", { class: "dot" }), name),
    [t.p50, t.p90, t.p99].map((v, i) => h("td", { key: i }, seconds(v))));
}

// --- the worst of each ---

function topDifferences({ differing, differing_total: total, now }) {
  return h("section", { class: "card", key: "top-differences" },
    h("div", { class: "title" }, h("h2", null, "What differs"), total ? h("a", { href: "#differences" }, total === 1 ? "the group" : `all ${count(total)} groups`) : null),
    differing.length ? h("ol", { class: "top" }, differing.map((group) =>
      h("li", { key: group.key }, h("a", { href: `#differences?${new URLSearchParams({ group: group.key })}` }, placeOf(group.place), " ", kindOf(group.kind)),
        h("p", { class: "sub" }, `${[group.route, ...group.apart.map((key) => group[key])].join(", ")}: ${count(group.count)} of ${count(group.of)}, last ${ago(unix(group.last), now)}`))))
      : h("p", { class: "nothing" }, "Nothing so far."));
}

function topFailures(page) {
  return h("section", { class: "card", key: "top-failures" },
    h("div", { class: "title" }, h("h2", null, "Recent failures"), page.failures.length ? h("a", { href: "#failures" }, "all recent") : null),
    page.failures.length ? h("ol", { class: "top" }, failureRows(page.failures, page.now, 5)) : h("p", { class: "nothing" }, "None."));
}

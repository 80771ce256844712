// The rules in force with their counts: filtered, sorted and paged by the server, since there may be 10,000.

import { h } from "./dom.js";
import { shareBar } from "./charts.js";
import { count, share } from "./format.js";
import { OUTCOMES, VERDICTS, parts, verdictWords } from "./words.js";

const SHOW = [["all", "All rules"], ["used", "Took a request"], ["unused", "Took none"], ["differing", "Answers differ"], ["failing", "Copies failed"]];
const SORT = [["order", "as in the spec"], ["name", "name"], ["selected", "most copies"], ["differ", "most that differ"], ["failed", "most that failed"]];

export function rules(app) {
  const answer = app.answers.rules;
  const { ui } = app;
  const set = (values) => app.change({ rules: { ...ui.rules, offset: 0, ...values } });
  return [
    h("div", { class: "title", key: "title" }, h("h1", null, "Rules"),
      h("p", { class: "sub" }, "The first rule that matches, in the order written, takes the request."),
      h("div", { class: "filters" },
        h("input", { type: "search", placeholder: "Filter by name, path, destination", "aria-label": "Filter rules", value: ui.rules.q, oninput: (event) => set({ q: event.target.value }) }),
        choice("Show", SHOW, ui.rules.show, (show) => set({ show })), choice("Sort", SORT, ui.rules.sort, (sort) => set({ sort })))),
    answer ? [table(app, answer), pager(app, answer, set)] : h("p", { class: "nothing", key: "wait" }, "Reading…"),
  ];
}

function choice(label, options, chosen, onchoose) {
  return h("label", null, `${label} `, h("select", { onchange: (event) => onchoose(event.target.value), value: chosen },
    options.map(([id, words]) => h("option", { value: id, selected: id === chosen, key: id }, words))));
}

function table(app, answer) {
  if (!answer.rules.length) return h("p", { class: "card nothing", key: "none" }, answer.total ? "No rule matches the filter." : "The spec has no rules.");
  return h("div", { class: "card table", key: "table", tabindex: "0", role: "region", "aria-label": "Rules" },
    h("table", { class: "wide stack rules" },
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "Rule"), h("th", { scope: "col" }, "Takes"), h("th", { scope: "col" }, "To"),
        h("th", { scope: "col", class: "num" }, "Copies"), h("th", { scope: "col" }, "Outcomes"), h("th", { scope: "col" }, "Verdicts"))),
      h("tbody", null, answer.rules.flatMap((rule) => {
        const open = app.ui.rule?.index === rule.index;
        return [row(app, rule, open), open ? details(app, rule) : null];
      }))));
}

function row(app, rule, open) {
  const compared = rule.verdicts.match + rule.verdicts.differ + rule.verdicts.incomparable;
  const tried = rule.outcomes.delivered + rule.outcomes.failed + rule.outcomes.dropped;
  const lost = rule.outcomes.failed + rule.outcomes.dropped;
  return h("tr", { key: rule.index, class: rule.selected ? "" : "quiet" },
    h("th", { scope: "row" }, h("button", { type: "button", class: "opener", "aria-expanded": String(open),
      onclick: () => app.change({ rule: open ? null : { index: rule.index } }) }, h("span", { class: "sub" }, `${rule.api} / `), rule.rule), tags(rule)),
    h("td", { class: "takes" }, h("b", null, rule.methods.join(", ") || "any"), " ", h("code", null, h("span", { class: "sub" }, rule.listen_path.replace(/\/$/, "")), rule.path)),
    h("td", { class: "to" }, rule.destinations.join(", ")),
    h("td", { class: "num" }, count(rule.selected), h("span", { class: "unit" }, rule.selected === 1 ? " copy" : " copies")),
    h("td", { class: "bars" }, tried ? [shareBar(parts(OUTCOMES, rule.outcomes), "Outcomes"), h("span", { class: "sub" }, lost ? `${share(lost, tried)} lost` : "all delivered")] : h("span", { class: "sub" }, "–")),
    h("td", { class: "bars" }, compared ? [shareBar(parts(VERDICTS, rule.verdicts), "Verdicts"),
      h("span", { class: rule.verdicts.differ ? "sub differs" : "sub" }, verdictWords(rule.verdicts))] : h("span", { class: "sub" }, "–")));
}

function tags(rule) {
  const found = [];
  if (rule.disabled) found.push("disabled");
  if (rule.sample_rate < 1) found.push(`${share(rule.sample_rate, 1)} sampled`);
  if (rule.max_rate !== null) found.push(`≤ ${rule.max_rate}/s`);
  if (rule.wait) found.push("client waits");
  return found.map((words) => h("span", { class: "tag", key: words }, words));
}

function details(app, rule) {
  const answer = app.answers.rule;
  const fits = answer && answer.index === rule.index;
  return h("tr", { key: `${rule.index} open`, class: "details" }, h("td", { colspan: "6" }, fits ? h("div", { class: "columns" },
    h("section", null, h("h2", null, "As in force"), h("pre", { tabindex: "0", "aria-label": "The rule's definition" }, outline(answer.definition))),
    h("section", null, h("h2", null, "Copies"), h("table", { class: "reasons" },
      h("thead", null, h("tr", null, ["Destination", "Outcome", "Copies"].map((name, i) => h("th", { scope: "col", class: i === 2 ? "num" : null, key: name }, name)))),
      h("tbody", null, answer.copies.flatMap((copy) => lines(copy)))))) : "Reading…"));
}

function lines(copy) {
  const rows = Object.entries(copy.outcomes).flatMap(([outcome, reasons]) => Object.entries(reasons).map(([reason, n]) => [outcome, reason, n]));
  if (copy.in_flight) rows.push(["flight", "in flight", copy.in_flight]);
  for (const { name } of VERDICTS) if (copy.verdicts[name]) rows.push([name, name, copy.verdicts[name]]);
  return rows.map(([kind, reason, n], i) => h("tr", { key: `${copy.destination} ${kind} ${reason}`, class: `c-${kind}` },
    i ? h("td") : h("th", { scope: "row" }, copy.destination), h("td", null, h("i", { class: "dot" }), kind === reason || kind === "flight" ? reason : `${kind.replace("_", " ")} ${reason}`),
    h("td", { class: "num" }, count(n))));
}

// Plain data as YAML would show it: nested keys indented, short lists on one line.
export function outline(data, indent = "") {
  return Object.entries(data).map(([name, it]) => {
    if (it !== null && typeof it === "object" && !Array.isArray(it)) return `${indent}${name}:\n${outline(it, `${indent}  `)}`;
    return `${indent}${name}: ${typeof it === "string" ? it : JSON.stringify(it)}`;
  }).join("\n");
}

function pager(app, answer, set) {
  const { offset } = app.ui.rules;
  const size = answer.limit;
  const last = Math.min(answer.found, offset + size);
  return h("nav", { class: "pager", key: "pager", "aria-label": "Pages of rules" },
    h("span", null, answer.found ? `${count(offset + 1)} to ${count(last)} of ${count(answer.found)}` : "", answer.found < answer.total ? ` found, ${count(answer.total)} in all` : ""),
    answer.found > size ? [
      h("button", { type: "button", disabled: !offset, onclick: () => set({ offset: 0 }) }, "First"),
      h("button", { type: "button", disabled: !offset, onclick: () => set({ offset: Math.max(0, offset - size) }) }, "Previous"),
      h("button", { type: "button", disabled: last >= answer.found, onclick: () => set({ offset: offset + size }) }, "Next"),
      h("button", { type: "button", disabled: last >= answer.found, onclick: () => set({ offset: Math.floor((answer.found - 1) / size) * size }) }, "Last")] : null);
}

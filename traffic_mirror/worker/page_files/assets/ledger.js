// The ledger: every selected copy and how it ended, as one sum, with every reason.

import { h } from "./dom.js";
import { shareBar } from "./charts.js";
import { count, share } from "./format.js";
import { OUTCOMES, REASONS, VERDICTS, parts } from "./words.js";

const ORDER = ["sampled_out", "skipped", "dropped", "failed", "delivered"];

export function ledger({ page }) {
  const words = ORDER.map((name) => OUTCOMES.find((outcome) => outcome.name === name));
  return [
    h("div", { class: "title", key: "title" }, h("h1", null, "Ledger"),
      h("p", { class: "sub" }, "Every request that a rule takes counts once per destination, and ends in exactly one outcome.")),
    sum(page, words),
    h("div", { class: "columns ledger", key: "outcomes" }, [...words].reverse().map((outcome) => card(page, outcome)), verdicts(page)),
  ];
}

function sum(page, words) {
  const term = (name, n, label, sign) => h("div", { class: `term c-${name}`, key: name },
    sign ? h("span", { class: "sign", "aria-hidden": "true" }, sign) : null, h("b", null, count(n)), h("span", { class: "name" }, h("i", { class: "dot" }), label));
  return h("section", { class: "card sum", key: "sum", "aria-label": "The sum" },
    term("selected", page.selected, "selected", ""),
    words.map((outcome, i) => term(outcome.name, page.outcomes[outcome.name], outcome.label, i ? "+" : "=")),
    term("flight", page.in_flight, "in flight", "+"),
    shareBar(parts(OUTCOMES, page.outcomes), "Copies by outcome"));
}

function card(page, outcome) {
  const rows = page.reasons.filter(([name]) => name === outcome.name).sort((a, b) => b[2] - a[2]);
  const total = page.outcomes[outcome.name];
  return h("section", { class: "card", key: outcome.name },
    h("div", { class: `title c-${outcome.name}` }, h("h2", null, h("i", { class: "dot" }), outcome.label), h("b", null, count(total))),
    h("p", { class: "sub" }, outcome.means),
    rows.length ? h("table", { class: "reasons" }, h("tbody", null, rows.map(([name, reason, n]) =>
      h("tr", { key: reason }, h("th", { scope: "row" }, h("code", null, reason)),
        h("td", { class: "means" }, REASONS[`${name} ${reason}`] ?? ""), h("td", { class: "num" }, count(n)), h("td", { class: "num sub" }, share(n, total)))))) : null);
}

function verdicts(page) {
  const reasons = Object.entries(page.incomparable).sort((a, b) => b[1] - a[1]);
  return h("section", { class: "card", key: "verdicts" },
    h("div", { class: "title" }, h("h2", null, "Verdicts"), h("b", null, count(VERDICTS.reduce((n, { name }) => n + page.verdicts[name], 0)))),
    h("p", { class: "sub" }, "What comparing the destination's answer with the primary's gave."),
    shareBar(parts(VERDICTS, page.verdicts), "Verdicts"),
    h("table", { class: "reasons" }, h("tbody", null,
      VERDICTS.map(({ name, label }) => h("tr", { key: name, class: `c-${name}` }, h("th", { scope: "row" }, h("i", { class: "dot" }), label),
        h("td", { class: "means" }), h("td", { class: "num" }, count(page.verdicts[name])))),
      reasons.map(([reason, n]) => h("tr", { key: reason }, h("th", { scope: "row", class: "inner" }, h("code", null, reason)),
        h("td", { class: "means" }, "incomparable"), h("td", { class: "num" }, count(n)))))));
}

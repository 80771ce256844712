// The newest copies that failed or were dropped, with what the network said.

import { h } from "./dom.js";
import { address } from "./address.js";
import { ago, clock, count, seconds } from "./format.js";
import { REASONS } from "./words.js";

export function failures({ page, ui, change }) {
  const q = (ui.find.failures ?? "").toLowerCase();
  const found = page.failures.filter((failure) => q.split(/\s+/).every((word) => text(failure).includes(word)));
  return [
    h("div", { class: "title", key: "title" }, h("h1", null, "Recent failures"),
      h("p", { class: "sub" }, `The newest ${count(page.failures.length)} copies that did not arrive. Those that a full queue or an open breaker dropped are only counted.`),
      h("input", { type: "search", placeholder: "Filter by reason, rule, URL", "aria-label": "Filter failures", value: ui.find.failures ?? "",
        oninput: (event) => change({ find: { ...ui.find, failures: event.target.value } }) })),
    found.length ? table(found, page.now) : h("p", { class: "card nothing", key: "none" }, page.failures.length ? "None matches the filter." : "No copy has failed."),
  ];
}

function table(found, now) {
  return h("div", { class: "card table", key: "table", tabindex: "0", role: "region", "aria-label": "Recent failures" },
    h("table", { class: "wide stack failures" },
      h("thead", null, h("tr", null, ["When", "Why", "Rule → destination", "Request", "After"].map((name) => h("th", { scope: "col", key: name }, name)))),
      h("tbody", null, found.map((failure) => h("tr", { key: `${failure.id} ${failure.destination}` },
        h("td", { class: "when", title: ago(failure.time, now) }, clock(failure.time)),
        h("td", { class: "why" }, badge(failure), h("span", { class: "message" }, failure.message || REASONS[`${failure.outcome} ${failure.reason}`] || "")),
        h("td", { class: "to" }, h("b", null, failure.rule), h("span", { class: "sub" }, ` → ${failure.destination}`)),
        h("td", { class: "request" }, h("b", null, failure.method), " ", address(failure.url), " ", h("span", { class: "sub" }, "flow ", h("code", { title: failure.id }, failure.id.slice(0, 8)))),
        h("td", { class: "num" }, seconds(failure.seconds)))))));
}

// The same failures together, the newest first: what is wrong now, not how often.
export function failureRows(list, now, most) {
  const alike = new Map();
  for (const failure of list) {
    const key = `${failure.destination} ${failure.outcome} ${failure.reason}`;
    if (alike.has(key)) alike.get(key).times++;
    else alike.set(key, { failure, times: 1 });
  }
  return [...alike].slice(0, most).map(([key, { failure, times }]) => h("li", { key },
    badge(failure), " ", h("b", null, failure.destination), times > 1 ? h("span", { class: "tag" }, `× ${count(times)}`) : null,
    h("span", { class: "message" }, failure.message || REASONS[`${failure.outcome} ${failure.reason}`] || ""),
    h("p", { class: "sub", title: failure.url }, `last ${ago(failure.time, now)}: ${failure.method} ${failure.url}`)));
}

const badge = ({ outcome, reason }) => h("span", { class: `reason c-${outcome}`, title: outcome }, reason);
const text = (failure) => `${failure.reason} ${failure.outcome} ${failure.rule} ${failure.api} ${failure.destination} ${failure.url} ${failure.message} ${failure.id}`.toLowerCase();

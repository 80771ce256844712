// What differs: places grouped by rule and destination, each with examples side by side.

import { h } from "./dom.js";
import { address } from "./address.js";
import { shareBar } from "./charts.js";
import { ago, clock, count, share, value } from "./format.js";
import { KINDS } from "./words.js";

const WORTH_MARKING = 8; // shorter values are compared at a glance

export function differences(app) {
  const answer = app.answers.differences;
  const { ui, page } = app;
  return [
    h("div", { class: "title", key: "title" }, h("h1", null, "Differences"),
      h("p", { class: "sub" }, summary(page)),
      h("input", { type: "search", placeholder: "Filter by place, route, rule, API, destination", "aria-label": "Filter differences", value: ui.find.differences ?? "",
        oninput: (event) => app.change({ find: { ...ui.find, differences: event.target.value } }) })),
    answer ? list(app, answer) : h("p", { class: "nothing", key: "wait" }, "Reading…"),
    answer ? noise(answer) : null,
  ];
}

function summary({ verdicts }) {
  const compared = verdicts.match + verdicts.differ;
  if (!compared) return "No answers have been compared yet.";
  return `${count(verdicts.differ)} of ${count(compared)} compared answers differ.`;
}

function list(app, { groups, found, total, evicted }) {
  const { match, differ } = app.page.verdicts;
  if (!total && !(match + differ)) {
    return h("p", { class: "card nothing", key: "none" }, "Answers of rules that say ", h("code", null, "compare: true"), " are compared; where they differ, it shows here.");
  }
  if (!total) return h("p", { class: "card nothing", key: "none" }, "No two answers differed, but for noise that was set aside.");
  if (!found) return h("p", { class: "card nothing", key: "none" }, "No group matches the filter.");
  const open = app.ui.group;
  return [
    h("ul", { class: "groups", key: "groups" }, groups.map((group, i) => item(app, group, i, group.key === open))),
    found > groups.length ? h("p", { class: "note", key: "more" }, `${count(found - groups.length)} more; filter to find one.`) : null,
    evicted ? h("p", { class: "note", key: "evicted" }, `The ${count(total)} groups that were seen most often are kept; room was made ${count(evicted)} times.`) : null,
  ];
}

function noise({ candidates, unused }) {
  if (!candidates.length && !unused.length) return null;
  return h("section", { class: "card", key: "noise" },
    candidates.length ? [h("h2", { key: "candidates" }, "Likely noise"), h("p", { class: "sub", key: "why" }, "Places that differ nearly always, with ever-new values. Name them in ignore if they are noise."),
      h("ul", { key: "places" }, candidates.map((it) => h("li", { key: `${it.api} ${it.rule} ${it.route} ${it.place}` },
        h("code", null, it.place), ` ${it.route}, `, h("b", null, count(it.count)), ` of ${count(it.of)}`, h("span", { class: "sub" }, ` ${it.api} / ${it.rule}`))))] : null,
    unused.length ? [h("h2", { key: "unused" }, "Matched nothing so far"), h("p", { class: "sub", key: "likely" }, "Places that a compare: names and no answer has. They are likely misspelt."),
      h("ul", { key: "expressions" }, unused.map((it) => h("li", { key: `${it.api} ${it.rule} ${it.expression}` }, h("code", null, it.expression), h("span", { class: "sub" }, ` ${it.api} / ${it.rule}`))))] : null);
}

function item(app, group, i, open) {
  const id = `group-${i}`;
  return h("li", { class: `card group ${open ? "open" : ""}`, key: group.key },
    h("button", { type: "button", class: "head", "aria-expanded": String(open), "aria-controls": open ? id : null,
      onclick: () => app.change({ group: open ? null : group.key }) },
      h("span", { class: "what" }, placeOf(group.place), " ", kindOf(group.kind)),
      h("span", { class: "where" }, group.route, ownerOf(group)),
      h("span", { class: "many" },
        h("span", { class: "numbers" }, h("span", null, h("b", null, count(group.count)), ` of ${count(group.of)}`), h("b", { class: "differs" }, share(group.count, group.of))),
        shareBar([{ name: "differ", label: "differ", n: group.count }, { name: "match", label: "else", n: Math.max(0, group.of - group.count) }], "Share of compared answers")),
      h("span", { class: "last sub" }, ago(seconds(group.last), app.page.now))),
    open ? h("div", { class: "examples", id }, group.samples.length
      ? group.samples.map((sample) => example(sample, group)) : h("p", { class: "nothing" }, "No example's values are kept any more; the results file has them all.")) : null);
}

// The rule, and what else tells a group from others of its route: its API, its destination.
function ownerOf(group) {
  const parts = [group.apart.includes("api") ? `API ${group.api}` : null,
    group.rule === group.route ? null : `rule ${group.rule}`,
    group.apart.includes("destination") ? `to ${group.destination}` : null].filter(Boolean);
  return parts.length ? h("span", { class: "sub" }, ` · ${parts.join(" · ")}`) : null;
}

function example(sample, group) {
  const { kind } = group;
  const [left, right] = marked(sample.primary, sample.copy);
  return h("article", { class: "example", key: `${sample.id} ${sample.destination}` },
    h("header", null, h("span", { class: "request" }, h("b", null, sample.method), " ", address(sample.url), group.place === sample.place ? null : h("span", { class: "sub" }, " at ", h("code", null, sample.place))),
      h("span", { class: "sub" }, `→ ${sample.destination}, ${clock(sample.time)}, flow `, h("code", { title: sample.id }, sample.id.slice(0, 8)),
        sample.trace_id && sample.trace_id !== sample.id.replaceAll("-", "") ? [", trace ", h("code", null, sample.trace_id)] : null)),
    h("div", { class: "sides" },
      side("primary", sample.primary_status, kind === "added" ? null : left),
      side("copy", sample.copy_status, kind === "removed" ? null : right)));
}

function side(name, status, content) {
  return h("section", { class: `side c-${name}` },
    h("h2", null, h("i", { class: "dot" }), name, status ? h("span", { class: "status" }, String(status)) : null),
    content === null ? h("p", { class: "absent" }, "absent") : h("pre", { tabindex: "0", "aria-label": `${name}'s value` }, content));
}

// Both sides' text with the part that differs marked: what is between the common start and the common end.
function marked(primary, copy) {
  const [a, b] = [value(primary) ?? "null", value(copy) ?? "null"];
  if (Math.min(a.length, b.length) < WORTH_MARKING) return [[a], [b]];
  let start = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const cut = (text) => [text.slice(0, start), h("mark", null, text.slice(start, text.length - end)), text.slice(text.length - end)];
  return start + end ? [cut(a), cut(b)] : [[a], [b]];
}

// `body:$.a.b` with its start set back, as a place reads best by its end.
export function placeOf(place) {
  const [, side, rest] = /^(\w+):(.*)$/s.exec(place) ?? [null, null, place];
  return h("code", { class: "place" }, side ? h("span", { class: "side-name" }, `${side} `) : null, rest);
}

export const kindOf = (kind) => h("span", { class: `kind k-${kind}` }, KINDS[kind] ?? kind);

export const seconds = (moment) => Date.parse(moment) / 1000;

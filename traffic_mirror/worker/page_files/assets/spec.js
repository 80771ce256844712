// The spec in force, when it was loaded, and what is wrong with a newer one.

import { h } from "./dom.js";
import { ago, count, moment } from "./format.js";
import { outline } from "./rules.js";

export function spec(app) {
  const { page, answers } = app;
  const it = page.spec;
  return [
    h("div", { class: "title", key: "title" }, h("h1", null, "Spec in force"),
      h("p", { class: "sub" }, h("code", null, it.file), `, loaded ${moment(it.loaded_at)} (${ago(it.loaded_at, page.now)})`)),
    it.ok ? null : h("section", { class: "card problems", key: "problems" },
      h("h2", null, it.problems.length === 1 ? "The problem of the changed spec" : "The problems of the changed spec"),
      h("pre", { tabindex: "0", "aria-label": "Problems of the changed spec" }, it.problems.join("\n"))),
    answers.spec ? content(answers.spec) : h("p", { class: "nothing", key: "wait" }, "Reading…"),
  ];
}

function content(it) {
  return h("div", { class: "columns", key: "content" },
    h("section", { class: "card", key: "apis" }, h("div", { class: "title" }, h("h2", null, "APIs"), h("b", null, count(it.totals.apis))),
      h("ul", { class: "plain" }, it.apis.map((api) => h("li", { key: api.name }, h("h3", null, h("a", { href: `#rules?${new URLSearchParams({ q: `${api.name}/` })}` }, api.name)),
        h("p", { class: "sub" }, `${api.hosts.length ? api.hosts.join(", ") : "any host"}, below `, h("code", null, api.listen_path), `, ${count(api.rules)} ${api.rules === 1 ? "rule" : "rules"}`)))),
      more(it.apis.length, it.totals.apis)),
    h("section", { class: "card", key: "destinations" }, h("div", { class: "title" }, h("h2", null, "Destinations"), h("b", null, count(it.totals.destinations))),
      h("ul", { class: "plain" }, it.destinations.map(({ name, ...rest }) => h("li", { key: name }, h("h3", null, name), h("pre", { tabindex: "0", "aria-label": `Definition of ${name}` }, outline(rest))))),
      more(it.destinations.length, it.totals.destinations)),
    h("section", { class: "card", key: "markers" }, h("h2", null, "Marker headers"), h("pre", { tabindex: "0", "aria-label": "Marker headers" }, outline(it.markers)),
      h("p", { class: "sub" }, "Header values that carry credentials, keys and passwords are masked here.")));
}

function more(shown, total) {
  return total > shown ? h("p", { class: "note" }, `${count(total - shown)} more.`) : null;
}

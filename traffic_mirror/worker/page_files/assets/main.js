// The page: asks the server every second or so, keeps what it said, shows one view of it.

import { h, patch } from "./dom.js";
import { whenMarked } from "./charts.js";
import { ago, count, moment, span } from "./format.js";
import { overview } from "./overview.js";
import { differences } from "./differences.js";
import { rules } from "./rules.js";
import { ledger } from "./ledger.js";
import { failures } from "./failures.js";
import { spec } from "./spec.js";

const EVERY = 1000;
const EVERY_HIDDEN = 15000;
const PATIENCE = 5000; // for an answer: a mirror that hangs is as good as gone
const VIEWS = [
  { id: "overview", label: "Overview", show: overview },
  { id: "differences", label: "Differences", show: differences, asks: (app) => [differencesQuery(app)], count: (page) => page.differing_total },
  { id: "rules", label: "Rules", show: rules, asks: (app) => [rulesQuery(app), ruleQuery(app)], count: (page) => page.spec.rules },
  { id: "ledger", label: "Ledger", show: ledger },
  { id: "failures", label: "Failures", show: failures, count: (page) => page.failures_total },
  { id: "spec", label: "Spec", show: spec, asks: () => ["spec"] },
];

const app = {
  page: null,
  fine: null,
  coarse: null,
  answers: {}, // what a view asked for, by the question's first word
  ui: { range: "fine", destination: "", rules: { q: "", show: "all", sort: "order", offset: 0 }, rule: null,
    group: null, find: {}, destinations: "" },
  lost: null,
  refused: null,
  change(values) {
    Object.assign(app.ui, values);
    draw();
    ask();
  },
};

let view = VIEWS[0];
let timer = 0;
let asking = false;
let again = false;

function differencesQuery({ ui }) {
  return `differences?${new URLSearchParams({ q: ui.find.differences ?? "" })}`;
}

function rulesQuery({ ui }) {
  const { q, show, sort, offset } = ui.rules;
  return `rules?${new URLSearchParams({ q, show, sort, offset })}`;
}

function ruleQuery({ ui }) {
  return ui.rule && `rule?${new URLSearchParams(ui.rule)}`;
}

async function request(path, options) {
  const signal = AbortSignal.timeout(PATIENCE);
  const answer = await fetch(path, { credentials: "same-origin", signal, ...options }).catch(() => {
    throw new Error(signal.aborted ? `no answer within ${PATIENCE / 1000} s` : "no connection");
  });
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer;
}

const fetchJson = async (path) => (await request(`api/page/${path}`, { cache: "no-cache" })).json();

async function ask() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  again = false;
  clearTimeout(timer);
  try {
    const since = new URLSearchParams({ fine: app.fine?.next ?? 0, coarse: app.coarse?.next ?? 0, destinations: app.ui.destinations });
    const questions = (view.asks?.(app) ?? []).filter(Boolean);
    const [page, ...others] = await Promise.all([fetchJson(`overview?${since}`), ...questions.map(fetchJson)]);
    take(page);
    questions.forEach((question, i) => (app.answers[question.split("?")[0]] = others[i]));
    app.lost = null;
  } catch (error) {
    app.lost ??= { since: Date.now() / 1000 };
    app.lost.why = error.message;
  }
  asking = false;
  draw();
  timer = setTimeout(ask, again ? 0 : document.hidden ? EVERY_HIDDEN : EVERY);
}

function take(page) {
  if (app.page && page.worker_started !== app.page.worker_started) app.fine = app.coarse = null;
  app.fine = joined(app.fine, page.fine);
  app.coarse = joined(app.coarse, page.coarse);
  app.page = page;
}

function joined(old, fresh) {
  const known = old && old.next <= fresh.next && old.next >= fresh.next - fresh.points.length ? old.points : [];
  const missing = known.length ? fresh.points.slice(fresh.points.length - (fresh.next - old.next)) : fresh.points;
  const points = fresh.next === old?.next ? known : [...known, ...missing];
  return { every: fresh.every, length: fresh.length, next: fresh.next, points: points.slice(-fresh.length) };
}

async function control(action) {
  app.refused = null;
  try {
    await request("api/control", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Traffic-Mirror-Page": "1" },
      body: JSON.stringify({ action }),
    });
  } catch (error) {
    app.refused = `Could not ${action}: ${error.message}`;
  }
  ask();
}

// --- what is drawn ---

function draw() {
  patch(document.getElementById("tabs"), tabs());
  patch(document.getElementById("state"), state());
  patch(document.getElementById("notices"), notices());
  drawPause();
  if (!app.page) return;
  const content = document.getElementById("content");
  if (content.dataset.view !== view.id) {
    content.replaceChildren();
    content.dataset.view = view.id;
    document.querySelector("#tabs [aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  patch(content, view.show(app));
  patch(document.getElementById("foot"), foot());
  document.title = `${title()} · Traffic mirror`;
}

function title() {
  const { differ, match } = app.page.verdicts;
  if (app.lost) return "No connection";
  if (app.page.paused) return "Paused";
  return differ ? `${count(differ)} differ` : match ? "All match" : view.label;
}

function tabs() {
  return h("ul", null, VIEWS.map((it, i) => {
    const n = app.page && it.count ? it.count(app.page) : 0;
    return h("li", { key: it.id },
      h("a", { href: `#${it.id}`, "aria-current": it === view ? "page" : null, title: `Key ${i + 1}` }, it.label,
        n ? h("span", { class: "badge" }, count(n)) : null));
  }));
}

function state() {
  const [kind, words] = stateWords();
  return h("span", { class: `pill ${kind}` }, h("i", { class: "lamp" }), words);
}

function stateWords() {
  if (app.lost) return ["bad", "No connection"];
  if (!app.page) return ["idle", "Connecting"];
  if (app.page.paused) return ["warn", "Paused"];
  if (!app.page.spec.ok) return ["bad", "Spec refused"];
  const { troubled } = app.page;
  if (troubled) return ["warn", `Mirroring, ${count(troubled)} in trouble`];
  return ["good", "Mirroring"];
}

function drawPause() {
  const button = document.getElementById("pause");
  button.hidden = !app.page;
  if (!app.page) return;
  const paused = app.page.paused;
  button.classList.toggle("primary", paused);
  button.disabled = app.lost !== null;
  button.textContent = paused ? "Resume" : "Pause";
  button.title = paused ? "Go on making copies (key p)" : "Make no copies for now (key p)";
  button.onclick = () => control(paused ? "resume" : "pause");
}

function notices() {
  const found = [];
  if (app.lost) {
    const last = app.page ? ` What is shown is from ${moment(app.page.now)}.` : "";
    found.push(h("section", { class: "notice bad", key: "lost" }, h("p", null,
      `The mirror does not answer (${app.lost.why}), for ${span(Date.now() / 1000 - app.lost.since)} now.${last} It is asked again every second.`)));
  }
  if (app.refused) found.push(h("section", { class: "notice bad", key: "refused" }, h("p", null, app.refused)));
  if (app.page?.paused) {
    found.push(h("section", { class: "notice warn", key: "paused" }, h("p", null,
      "Paused: no copies are made. Requests that a rule takes are counted as skipped.")));
  }
  if (app.page && !app.page.spec.ok) {
    const { problems, loaded_at: loaded } = app.page.spec;
    found.push(h("section", { class: "notice bad", key: "spec" },
      h("p", null, h("b", null, "The changed spec is refused; the old one stays in force"), ` (loaded ${ago(loaded, app.page.now)}).`),
      view.id === "spec" ? null : h("pre", { tabindex: "0", "aria-label": "Problems of the changed spec" }, problems.join("\n"))));
  }
  return found;
}

function foot() {
  const { page } = app;
  return [
    h("span", null, `Running for ${span(page.now - page.started)}`, page.restarts ? `, worker restarted ${count(page.restarts)} times` : ""),
    h("span", null, page.results ? ["Results go to ", h("code", null, page.results)] : "No results file (mirror_results)"),
    h("span", null, h("a", { href: "metrics" }, "metrics"), " · ", h("a", { href: "api/summary" }, "summary as JSON"), ` · version ${page.version}`),
    h("span", { class: "keys" }, h("kbd", null, "1"), "–", h("kbd", null, String(VIEWS.length)), " views  ", h("kbd", null, "/"), " filter  ", h("kbd", null, "p"), " pause  ", h("kbd", null, "Esc"), " close"),
  ];
}

// --- theme, keys, the address ---

const THEMES = { auto: ["◐ Auto", "light"], light: ["○ Light", "dark"], dark: ["● Dark", "auto"] };

function theme(name) {
  const button = document.getElementById("theme");
  document.documentElement.dataset.theme = name;
  button.textContent = THEMES[name][0];
  button.title = "Colours: as the system has them, light, or dark";
  button.setAttribute("aria-label", `Colours: ${name}`);
  button.onclick = () => {
    remember(THEMES[name][1]);
    theme(THEMES[name][1]);
  };
}

function remember(name) {
  try {
    localStorage.setItem("mirror-theme", name);
  } catch {
    // Storage may be off; the choice then lasts as long as the page.
  }
}

function remembered() {
  try {
    return localStorage.getItem("mirror-theme");
  } catch {
    return null;
  }
}

function route() {
  const [id, query] = location.hash.slice(1).split("?");
  view = VIEWS.find((it) => it.id === id) ?? VIEWS[0];
  if (query && view.id === "rules") app.ui.rules = { ...app.ui.rules, offset: 0, ...Object.fromEntries(new URLSearchParams(query)) };
  if (query && view.id === "differences") app.ui.group = new URLSearchParams(query).get("group");
  draw();
  ask();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    if (event.key === "Escape") leave(event.target);
    return;
  }
  if (event.key === "Escape") close();
  const number = Number(event.key);
  if (number >= 1 && number <= VIEWS.length) location.hash = VIEWS[number - 1].id;
  else if (event.key === "p") document.getElementById("pause").click();
  else if (event.key === "/") {
    const field = document.querySelector("main input[type=search]");
    if (field) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  }
});
// A filter is emptied first, then left.
function leave(field) {
  if (field.type !== "search" || !field.value) return field.blur();
  field.value = "";
  field.dispatchEvent(new Event("input"));
}

function close() {
  if (!app.ui.group && !app.ui.rule) return;
  document.querySelector("main [aria-expanded=true]")?.focus();
  app.change({ group: null, rule: null });
}

document.addEventListener("visibilitychange", () => document.hidden || ask());
window.addEventListener("hashchange", () => {
  route();
  window.scrollTo(0, 0);
});
whenMarked(draw);
theme(Object.hasOwn(THEMES, remembered()) ? remembered() : "auto");
route();

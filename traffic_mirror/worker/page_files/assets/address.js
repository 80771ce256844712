// A URL as text; of a long one the start, and the whole when it is opened.

import { h } from "./dom.js";

const LONG = 160;

export function address(url) {
  if (url.length <= LONG) return url;
  return h("details", { class: "address" }, h("summary", null, h("span", { class: "start" }, `${url.slice(0, LONG)}…`)), url);
}

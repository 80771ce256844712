// Elements as values, and `patch`, which makes what is on the page equal to them while keeping
// focus, selection and scroll: only what differs is touched.

const SVG = "http://www.w3.org/2000/svg";

// h("p", {class: "x", onclick: f, key: "k"}, child…): children are nodes, text, numbers, or nothing.
export function h(tag, attributes, ...children) {
  return { tag, attributes: attributes || {}, children: children.flat(Infinity).filter(present) };
}

function present(child) {
  return child !== null && child !== undefined && child !== false && child !== "";
}

export function patch(parent, wanted) {
  const nodes = (Array.isArray(wanted) ? wanted : [wanted]).flat(Infinity).filter(present);
  const keyed = new Map();
  for (const child of parent.childNodes) if (child.mirrorKey !== undefined) keyed.set(child.mirrorKey, child);
  let at = parent.firstChild;
  for (const node of nodes) {
    const old = choose(node, at, keyed);
    if (old === null) {
      parent.insertBefore(create(node, parent), at);
      continue;
    }
    if (old === at) at = at.nextSibling;
    else parent.insertBefore(old, at);
    update(old, node);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// The element on the page that can become `node`: the one of its key, or the next one if it is alike.
function choose(node, at, keyed) {
  const key = node.attributes?.key;
  if (key !== undefined) {
    const old = keyed.get(key);
    return old !== undefined && old.localName === node.tag ? old : null;
  }
  if (at === null || at.mirrorKey !== undefined) return null;
  if (node.tag === undefined) return at.nodeType === Node.TEXT_NODE ? at : null;
  return at.localName === node.tag ? at : null;
}

function create(node, parent) {
  if (node.tag === undefined) return document.createTextNode(String(node));
  const svg = node.tag === "svg" || parent.namespaceURI === SVG;
  const element = svg ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
  if (node.attributes.key !== undefined) element.mirrorKey = node.attributes.key;
  element.mirrorNames = [];
  update(element, node);
  return element;
}

function update(element, node) {
  if (node.tag === undefined) {
    const text = String(node);
    if (element.data !== text) element.data = text;
    return;
  }
  const names = Object.keys(node.attributes);
  for (const name of element.mirrorNames) if (!names.includes(name)) set(element, name, null);
  for (const name of names) set(element, name, node.attributes[name]);
  element.mirrorNames = names;
  patch(element, node.children);
}

function set(element, name, value) {
  if (name === "key") return;
  if (name.startsWith("on")) {
    element[name] = value;
  } else if (name === "grow") {
    element.style.flexGrow = value ?? ""; // inline styles as text are forbidden by the page's policy
  } else if (name === "width%" || name === "top%") {
    element.style[name.slice(0, -1)] = value === null ? "" : `${value}%`;
  } else if (name === "value" && "value" in element) {
    if (element.value !== value && element !== document.activeElement) element.value = value ?? "";
  } else if (value === null || value === undefined || value === false) {
    element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value === true ? "" : value)) {
    element.setAttribute(name, value === true ? "" : value);
  }
}

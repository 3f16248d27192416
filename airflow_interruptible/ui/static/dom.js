// SPDX-License-Identifier: Apache-2.0
// Builds elements. Whatever is not an element becomes a text node, so nothing that comes from outside can be markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: `h("td", { class: "number" }, 3)`. A function sets a listener, null and false set nothing. */
export function h(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** An SVG element. */
export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

/** A name or an id from outside. It may be broken after a sign, and anywhere only if there is none. */
export function name(text, properties = {}) {
  return h("span", { class: "name", ...properties }, brokenAt(text, /(?<=[^\p{L}\p{N}\s])(?=\S)/u));
}

function brokenAt(text, places) {
  return String(text).split(places).flatMap((part, index) => (index ? [h("wbr"), part] : [part]));
}

/** How wide a text of a drawing is, in pixels, in the font that this page happens to have. */
export function textWidth(text) {
  pen ??= document.createElement("canvas").getContext("2d");
  pen.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
  return Math.ceil(pen.measureText(text).width);
}

let pen = null;

/** Put these children, and no others, into a node. */
export function show(node, ...children) {
  node.replaceChildren(...nodes(children));
  return node;
}

/** Set a sentence only if it is another one, for a screen reader says what is set. Names in it may be broken after a sign. */
export function say(node, text) {
  if (node.textContent !== text) show(node, brokenAt(text, /(?<=[_./:-])(?=\p{L})/u));
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

// SPDX-License-Identifier: Apache-2.0
// Icons, and the pills that stand for capacities, causes and states. An icon is never alone: a text is beside it.

import { h, svg } from "./dom.js";
import * as words from "./words.js";

/** Drawn in a box of 16 by 16, with a stroke; `M` starts a line. */
const SHAPES = {
  anchor: "M8 5.5V14M4 8H12M3 10a5 4 0 0 0 10 0M8 5.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4",
  bolt: "M9 1.5 3.5 9H8l-1 5.5L12.5 7H8z",
  copy: "M5.5 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3",
  check: "M3 8.5 6.5 12 13 4.5",
  clock: "M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4M8 4.5V8l2.5 1.5",
  cross: "M4 4l8 8M12 4l-8 8",
  empty: "M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4M3.7 12.3l8.6-8.6",
  person: "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6M2.5 14a5.5 5.5 0 0 1 11 0",
  play: "M4.5 2.5 13 8l-8.5 5.500z",
  question: "M5.5 6A2.5 2.5 0 1 1 9 8.200Q8 8.7 8 10M8 12.800V13",
  server: "M2.5 2.500h11v4.500h-11zM2.5 9h11v4.500h-11zM5 4.700h.1M5 11.200h.1",
  flag: "M4 14.500V2h8.500L10.5 5l2 3H4",
  save: "M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.500h11",
};

/** An icon that says nothing to a screen reader. */
export function icon(name, properties = {}) {
  return svg(
    "svg",
    {
      class: "icon",
      viewBox: "0 0 16 16",
      width: 16,
      height: 16,
      "aria-hidden": "true",
      focusable: "false",
      ...properties,
    },
    shape(name),
  );
}

/** The lines of an icon, to be put into another drawing. */
export function shape(name) {
  return svg("path", { class: "stroke", d: SHAPES[name] ?? SHAPES.question });
}

export function capacityBadge(value) {
  const { label, kind, icon: name } = words.capacity(value);
  return h("span", { class: `capacity ${kind}` }, icon(name), label);
}

export function outcomeBadge(attempt) {
  const { label, colour, icon: name } = words.outcome(attempt);
  return h("span", { class: `badge ${attempt.cause ? "soft" : "full"} ${colour}` }, icon(name), label);
}

export function causeBadge(value) {
  return outcomeBadge({ cause: value });
}

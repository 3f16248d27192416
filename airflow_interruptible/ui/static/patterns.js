// SPDX-License-Identifier: Apache-2.0
// The patterns that drawings are filled with. A fill says with its shape what it says with its colour.

import { svg } from "./dom.js";

/** Put them on the page, once; page.css names them by their ids, and gives them their colours. */
export function addPatterns() {
  document.body.append(svg("svg", { class: "patterns", width: 0, height: 0, "aria-hidden": "true" }, definitions()));
}

function definitions() {
  return svg(
    "defs",
    {},
    pattern(
      "spot-fill",
      8,
      svg("rect", { class: "paper", width: 8, height: 8 }),
      svg("rect", { class: "ink", width: 4, height: 8 }),
    ),
    pattern(
      "hatched-fill",
      6,
      svg("rect", { class: "paper", width: 6, height: 6 }),
      svg("rect", { class: "ink", width: 3.5, height: 6 }),
    ),
    pattern(
      "dotted-fill",
      6,
      svg("rect", { class: "paper", width: 6, height: 6 }),
      svg("circle", { class: "ink", cx: 3, cy: 3, r: 2 }),
    ),
  );
}

function pattern(id, size, ...shapes) {
  const properties = {
    id,
    width: size,
    height: size,
    patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)",
    class: id,
  };
  return svg("pattern", properties, ...shapes);
}

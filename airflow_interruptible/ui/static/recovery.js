// SPDX-License-Identifier: Apache-2.0
// Where the time between an interruption and the next attempt went, so that it is known who can shorten it.

import { h } from "./dom.js";
import { number } from "./numbers.js";
import { roughly } from "./time.js";

const PARTS = [
  ["noticing", "Noticing", "until Airflow knew that the attempt was over"],
  ["delay", "Delay", "until the retry was due, and the scheduler came to it"],
  ["queue", "Queue", "until a worker took it up: pools, slots, a machine, a pod"],
  ["start", "Start", "until the next attempt was at work: imports, and the Dag file"],
];
const COLUMNS = [
  ["Median", ({ median }) => roughly(median * 1000)],
  ["95 % within", ({ p95 }) => roughly(p95 * 1000)],
  ["Interruptions", ({ count }) => number(count)],
];

/** @param recovery what the API answered; null where nothing was interrupted and went on */
export function recoveryParts(recovery) {
  if (!recovery || PARTS.every(([key]) => !recovery.parts[key])) return null;
  return h(
    "section",
    { class: "card", "aria-labelledby": "recovery" },
    h("h2", { id: "recovery" }, "Where the time to recover went"),
    h(
      "table",
      { class: "breakdown parts", role: "table", "aria-labelledby": "recovery" },
      h(
        "thead",
        { role: "rowgroup" },
        h(
          "tr",
          { role: "row" },
          h("th", { scope: "col", role: "columnheader" }, "Part"),
          COLUMNS.map(([label]) => h("th", { scope: "col", role: "columnheader", class: "amount" }, label)),
        ),
      ),
      h("tbody", { role: "rowgroup" }, PARTS.map(([key, label, what]) => part(label, what, recovery.parts[key]))),
    ),
  );
}

function part(label, what, stretch) {
  return h(
    "tr",
    { role: "row" },
    h("th", { scope: "row", role: "rowheader" }, label, " ", h("span", { class: "muted" }, what)),
    COLUMNS.map(([name, text]) =>
      h(
        "td",
        { role: "cell", class: "amount", "data-label": name },
        h("span", { class: "number" }, stretch ? text(stretch) : "not known"),
      ),
    ),
  );
}

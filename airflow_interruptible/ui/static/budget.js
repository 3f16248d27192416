// SPDX-License-Identifier: Apache-2.0
// What is left of the two budgets, and where the next attempt will run.

import { capacityBadge } from "./badges.js";
import { h } from "./dom.js";
import { when } from "./records.js";

const COUNTED = 12; // more pips than this nobody counts

export function budgets({ budget, next }) {
  if (!budget && !next) return null;
  return h(
    "dl",
    { class: "tiles" },
    budget && [
      tile("User retries", budget.user_retries_left, budget.user_retries, "Spent by errors of the task itself"),
      tile(
        "System retries",
        budget.system_retries_left,
        budget.system_retries,
        "Spent by interruptions and other failures of the platform",
      ),
    ],
    next &&
      h(
        "div",
        { class: "tile" },
        h("dt", {}, "Next attempt"),
        h("dd", {}, capacityBadge(next.capacity), next.at && h("p", {}, Date.parse(next.at) > Date.now() ? "Starts at " : "Due since ", when(next.at)), next.why && h("p", { class: "muted" }, `since ${next.why}`)),
      ),
  );
}

function tile(label, left, all, meaning) {
  return h(
    "div",
    { class: "tile" },
    h("dt", {}, label),
    h(
      "dd",
      {},
      h("span", { class: "figure" }, left),
      ` of ${all} left`,
      pips(left, all),
      h("p", { class: "muted" }, meaning),
    ),
  );
}

function pips(left, all) {
  if (all < 1 || all > COUNTED) return null;
  const each = Array.from({ length: all }, (_, index) => h("span", { class: index < left ? "pip left" : "pip" }));
  return h("span", { class: "pips", "aria-hidden": "true" }, each);
}

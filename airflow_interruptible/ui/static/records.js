// SPDX-License-Identifier: Apache-2.0
// What tables of records have in common. Roles are said, for a table whose rows are cards on a narrow screen has lost its own.

import { h } from "./dom.js";
import { moment } from "./time.js";

/** A moment. A line may end between its date and its time, and nowhere else. */
export function when(time) {
  const [date, clock] = moment(time).split(" ");
  return h("time", { datetime: time }, h("span", { class: "number" }, date), " ", h("span", { class: "number" }, clock));
}

/** The heads of the columns. `wide` names one that takes the room that is left. */
export function heads(columns, wide = null) {
  return h(
    "thead",
    { role: "rowgroup" },
    h(
      "tr",
      { role: "row" },
      columns.map((name) => h("th", { scope: "col", role: "columnheader", class: name === wide && "wide" }, name)),
    ),
  );
}

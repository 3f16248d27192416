// SPDX-License-Identifier: Apache-2.0
// What tables of records have in common. Roles are said, for a table whose rows are cards on a narrow screen has lost its own.

import { h } from "./dom.js";

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

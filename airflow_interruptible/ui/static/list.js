// SPDX-License-Identifier: Apache-2.0
// The interruptions one by one, newest first, a page at a time.

import { capacityBadge, causeBadge } from "./badges.js";
import { h, name, show } from "./dom.js";
import { attemptsTab, inAirflow } from "./links.js";
import { heads, when } from "./records.js";
import { duration } from "./time.js";
import { charge, count, evidence, known } from "./words.js";

export const PAGE = 50;
const COLUMNS = ["Ended", "Task", "Cause", "Capacity", "Zone and type", "Lost", "Charged to"];

/**
 * @param answer what the API answered
 * @param offset of the first that is shown
 * @param turn called with the offset of another page
 * @param download called when a person wants them all as a file
 */
export function renderList(section, { total, items }, offset, turn, download) {
  show(
    section,
    h("h2", { id: "list-heading" }, count(total, "interruption")),
    total > 0 && h("button", { type: "button", class: "download", click: download }, "CSV"),
    items.length > 0 &&
      h(
        "table",
        { class: "records", role: "table", "aria-labelledby": "list-heading" },
        heads(COLUMNS),
        h("tbody", { role: "rowgroup" }, items.map(row)),
      ),
    total > PAGE && pager(total, items.length, offset, turn),
  );
}

function row(item) {
  const cells = [
    item.end ? when(item.end) : "",
    task(item),
    [causeBadge(item.cause), item.error && h("p", { class: "reason" }, h("code", {}, name(item.error))), evidence(item) && h("p", { class: "reason" }, name(evidence(item)))],
    capacityBadge(item.capacity),
    [name(known(item.zone)), h("p", { class: "muted" }, name(known(item.instance_type)))],
    h("span", { class: "number" }, duration(Math.round((item.lost_seconds ?? 0) * 1000))),
    charge(item.charge)?.label ?? "",
  ];
  return h(
    "tr",
    { role: "row" },
    cells.map((cell, index) => h("td", { role: "cell", "data-label": COLUMNS[index] }, cell)),
  );
}

function task(item) {
  const mapped = item.map_index >= 0 ? ` [${item.map_index}]` : "";
  return [
    h("div", {}, inAirflow(attemptsTab(item), name(`${item.dag_id}.${item.task_id}${mapped}`))),
    h("p", { class: "muted" }, name(item.run_id), `, attempt ${item.attempt}`),
  ];
}

function pager(total, here, offset, turn) {
  const button = (label, to, name) =>
    h("button", { type: "button", name, disabled: to === null, click: () => turn(to) }, label);
  const [before, after] = [
    offset > 0 ? Math.max(0, offset - PAGE) : null,
    offset + here < total ? offset + PAGE : null,
  ];
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages of interruptions" },
    button("Newer", before, "newer"),
    h(
      "span",
      { class: "muted number" },
      `${(offset + 1).toLocaleString("en")} to ${(offset + here).toLocaleString("en")} of ${total.toLocaleString("en")}`,
    ),
    button("Older", after, "older"),
  );
}

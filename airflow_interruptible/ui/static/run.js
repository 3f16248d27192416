// SPDX-License-Identifier: Apache-2.0
// The tab "Attempts" of a Dag run: each of its interruptible task instances, what most happened to first. What is chosen
// stands in the address; on the page of a mapped task, the link there has chosen that task already.

import { addressOf, mirror, said } from "./address.js";
import { capacityBadge, causeBadge, outcomeBadge } from "./badges.js";
import { h, name, say, show } from "./dom.js";
import { ask } from "./http.js";
import { attemptsTab, inAirflow } from "./links.js";
import { message } from "./message.js";
import { number } from "./numbers.js";
import { duration } from "./time.js";
import { count } from "./words.js";

const AGAIN = 10_000;
const PAGE = 100;
const COLUMNS = {
  task: { label: "Task", of: (row) => row.task_id, text: true },
  state: { label: "State", of: (row) => row.state ?? "", text: true },
  attempts: { label: "Attempts", of: (row) => row.attempts },
  interruptions: { label: "Interrupted", of: (row) => row.interruptions },
  charged: { label: "User retries spent", of: (row) => row.charged },
  lost: { label: "Lost", of: (row) => row.lost_seconds },
  capacity: { label: "Capacity", of: (row) => row.capacity ?? "", text: true },
};
const SHOWS = [
  ["", "All"],
  ["interrupted", "Interrupted"],
  ["charged", "Charged to the author"],
  ["failed", "Failed"],
  ["on-spot", "On spot now"],
  ["spot_interruption", "Spot interruption"],
  ["infrastructure", "Infrastructure"],
  ["no_capacity", "No spot capacity"],
  ["application", "Application error"],
];
const FITS = {
  "": () => true,
  interrupted: (row) => row.interruptions > 0,
  charged: (row) => row.charged > 0,
  failed: (row) => row.state === "failed",
  "on-spot": (row) => row.running && row.capacity === "spot",
};

const main = document.getElementById("page");
const parts = Object.fromEntries(
  ["summary", "message", "filters", "content"].map((id) => [id, document.getElementById(id)]),
);
const given = new URLSearchParams(globalThis.location.search);
const run = { dag_id: given.get("dag_id"), run_id: given.get("run_id") };

let answer = null;
let chosen = read();
let shown = PAGE;
let timer = null;

function read() {
  const query = said();
  const sort = query.get("sort") ?? "";
  return {
    task: query.get("task") ?? "",
    show: query.get("show") ?? "",
    sort: Object.hasOwn(COLUMNS, sort) ? sort : "",
  };
}

function choose(values) {
  chosen = { ...chosen, ...values };
  shown = PAGE;
  globalThis.history.pushState(null, "", addressOf(chosen));
  mirror();
  render();
}

async function refresh() {
  clearTimeout(timer);
  try {
    const fresh = await ask("run", run);
    const changed = JSON.stringify(fresh) !== JSON.stringify(answer);
    answer = fresh;
    if (changed) render();
    show(parts.message);
    timer = setTimeout(refresh, AGAIN);
  } catch (refusal) {
    show(parts.message, message(refusal));
    if (refusal.passing) timer = setTimeout(refresh, AGAIN);
  }
  if (document.hidden) clearTimeout(timer);
  main.setAttribute("aria-busy", "false");
}

function rows() {
  const fits = FITS[chosen.show] ?? ((row) => (row.causes[chosen.show] ?? 0) > 0);
  const part = chosen.task.toLowerCase();
  const found = answer.instances.filter((row) => fits(row) && label(row).toLowerCase().includes(part));
  const column = COLUMNS[chosen.sort];
  if (!column) return found;
  const order = column.text
    ? (one, other) => column.of(one).localeCompare(column.of(other)) || one.map_index - other.map_index
    : (one, other) => column.of(other) - column.of(one);
  return found.sort(order);
}

function label({ task_id: task, map_index: index }) {
  return index >= 0 ? `${task} [${index}]` : task;
}

function render() {
  if (!answer) return;
  say(parts.summary, answer.summary);
  const found = rows();
  const focused = document.activeElement?.name;
  fields();
  show(
    parts.content,
    answer.truncated && h("p", { class: "notice" }, "This run has more task instances than are shown here."),
    h("h2", {}, `${count(found.length, "task instance")} of ${number(answer.instances.length)}`),
    found.length > 0 && table(found.slice(0, shown)),
    found.length > shown &&
      h(
        "button",
        { type: "button", name: "more", click: () => ((shown += PAGE), render()) },
        `Show ${number(Math.min(PAGE, found.length - shown))} more of ${number(found.length - shown)}`,
      ),
  );
  if (focused) document.querySelector(`[name="${focused}"]`)?.focus();
}

function fields() {
  if (parts.filters.firstChild) {
    const [task, which] = [parts.filters.elements.task, parts.filters.elements.show];
    if (document.activeElement !== task) task.value = chosen.task;
    which.value = chosen.show;
    return;
  }
  const field = (id, text, control) => h("div", { class: "field" }, h("label", { for: id }, text), control);
  let typing = null;
  const typed = (event) => {
    clearTimeout(typing);
    const { value } = event.target;
    typing = setTimeout(() => value.trim() !== chosen.task && choose({ task: value.trim() }), 400);
  };
  show(
    parts.filters,
    field(
      "task",
      "Task",
      h("input", { id: "task", name: "task", value: chosen.task, placeholder: "Any", autocomplete: "off", input: typed }),
    ),
    field(
      "show",
      "Show",
      h(
        "select",
        { id: "show", name: "show", change: (event) => choose({ show: event.target.value }) },
        SHOWS.map(([value, text]) => h("option", { value, selected: value === chosen.show }, text)),
      ),
    ),
  );
}

function table(found) {
  const head = ([key, { label: text, text: isText }]) =>
    h(
      "th",
      {
        scope: "col",
        role: "columnheader",
        "aria-sort": key === chosen.sort ? (isText ? "ascending" : "descending") : null,
      },
      h("button", { type: "button", class: "link", name: `sort-${key}`, click: () => choose({ sort: key }) }, text),
    );
  return h(
    "table",
    { class: "records sortable", role: "table" },
    h("caption", { class: "visually-hidden" }, "Task instances of the run"),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, Object.entries(COLUMNS).map(head))),
    h("tbody", { role: "rowgroup" }, found.map(row)),
  );
}

function row(item) {
  const causes = Object.entries(item.causes).map(([value, times]) =>
    h("span", { class: "counted" }, causeBadge(value), times > 1 && h("span", { class: "number" }, ` × ${number(times)}`)),
  );
  const cells = {
    task: inAirflow(attemptsTab({ ...run, ...item }), name(label(item))),
    state: outcomeBadge({ state: item.state }),
    attempts: h("span", { class: "number" }, number(item.attempts)),
    interruptions: [h("span", { class: "number" }, number(item.interruptions)), h("div", { class: "causes" }, causes)],
    charged: h("span", { class: "number" }, number(item.charged)),
    lost: h("span", { class: "number" }, duration(Math.round(item.lost_seconds) * 1000)),
    capacity: [capacityBadge(item.capacity), item.running && h("span", { class: "muted" }, " now")],
  };
  return h(
    "tr",
    { role: "row" },
    Object.entries(cells).map(([key, cell], index) =>
      h(index ? "td" : "th", { role: index ? "cell" : "rowheader", scope: index ? null : "row", "data-label": COLUMNS[key].label }, cell),
    ),
  );
}

addEventListener("popstate", () => {
  chosen = read();
  mirror();
  render();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else refresh();
});
document.title = `Attempts of ${run.run_id}`;
mirror();
refresh();

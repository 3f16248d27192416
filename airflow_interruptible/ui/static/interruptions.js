// SPDX-License-Identifier: Apache-2.0
// The page "Interruptions" of all Dags, of one Dag, or of one task.

import { room } from "./card.js";
import { breakdown, overTime } from "./charts.js";
import { h, say, show } from "./dom.js";
import { Filters } from "./filters.js";
import { ask } from "./http.js";
import { PAGE, renderList } from "./list.js";
import { message } from "./message.js";
import { addPatterns } from "./patterns.js";
import { onTimeZoneChange } from "./time.js";
import { totals } from "./totals.js";
import { count } from "./words.js";

const RETRY = 10_000;
const REST = 500;

const main = document.getElementById("page");
const parts = Object.fromEntries(
  ["heading", "summary", "message", "report", "list"].map((id) => [id, document.getElementById(id)]),
);
const chart = h("div");

let asking = new AbortController();
let again = null;
let offset = 0;
let wanted = {}; // what the answers that are shown were asked for
let report = null;
let listed = null;
let drawn = 0;

/** Ask for everything that the filters want, newest answers win. */
async function refresh() {
  clearTimeout(again);
  asking.abort();
  asking = new AbortController();
  offset = 0;
  wanted = filters.parameters();
  await load(async (signal) => {
    while (!(await readMore(signal))) await pause(REST, signal);
  });
}

/** Show what the API server knows by now. After its start it has to read everything once, latest first; is it done? */
async function readMore(signal) {
  [report, listed] = await Promise.all([
    ask("report", wanted, signal),
    ask("interruptions", { ...wanted, limit: PAGE, offset }, signal),
  ]);
  filters.suggest(suggestions());
  render();
  return report.complete && listed.complete;
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

async function turn(to) {
  await load(async (signal) => {
    listed = await ask("interruptions", { ...wanted, limit: PAGE, offset: to }, signal);
    offset = to;
    renderList(parts.list, listed, offset, turn);
    parts.list.scrollIntoView();
    parts.list.querySelector(".pager button:enabled")?.focus({ preventScroll: true });
  });
}

async function load(work) {
  const { signal } = asking;
  main.setAttribute("aria-busy", "true");
  try {
    await work(signal);
    show(parts.message);
  } catch (refusal) {
    if (signal.aborted) return;
    report = listed = null;
    for (const part of [parts.report, parts.list]) show(part);
    show(parts.message, message(refusal));
    if (refusal.passing) again = setTimeout(refresh, RETRY);
  }
  main.setAttribute("aria-busy", "false");
}

function render() {
  if (!report) return;
  const found = report.totals.interruptions > 0;
  const choose = (name) => (filters.offers(name) ? (value) => filters.set(name, value) : null);
  say(
    parts.summary,
    `${count(report.totals.interruptions, "interruption")} of ${count(report.totals.attempts, "attempt")}`,
  );
  show(
    parts.report,
    !report.complete && h("p", { class: "notice" }, "Older attempts are still being read. These figures grow."),
    report.truncated &&
      h(
        "p",
        { class: "notice" },
        "The oldest attempts of this time are missing: there are more than the API server keeps in mind.",
      ),
    totals(report),
    h(
      "section",
      { class: "card", "aria-labelledby": "over-time" },
      h("h2", { id: "over-time" }, "Interruptions over time"),
      found ? chart : h("p", { class: "empty" }, nothing()),
    ),
    found &&
      h(
        "div",
        { class: "breakdowns" },
        breakdown("By cause", "cause", report.by_cause, choose("cause")),
        breakdown("By zone", "zone", report.by_zone, choose("zone")),
        breakdown("By instance type", "instance_type", report.by_instance_type, choose("instance_type")),
        filters.offers("dag_id") && breakdown("By Dag", "dag_id", report.by_dag, choose("dag_id")),
        filters.offers("task_id") && breakdown("By task", "task_id", report.by_task, null),
      ),
  );
  draw();
  if (found) renderList(parts.list, listed, offset, turn);
  else show(parts.list);
}

function nothing() {
  return report.totals.attempts > 0
    ? "Nothing was interrupted in this time."
    : "No attempt of an interruptible task ended in this time. Choose a longer one, or fewer filters.";
}

function draw() {
  const width = room(parts.report);
  if (!report || width <= 0) return;
  drawn = width;
  show(chart, overTime(report.over_time, width));
}

function suggestions() {
  const values = (rows) => rows.map((row) => row.value).filter(Boolean);
  return {
    zone: values(report.by_zone),
    instance_type: values(report.by_instance_type),
    dag_id: values(report.by_dag),
  };
}

addPatterns();
const filters = new Filters(document.getElementById("filters"), refresh);
new ResizeObserver(() => {
  if (room(parts.report) !== drawn) draw();
}).observe(parts.report);
onTimeZoneChange(() => {
  filters.render();
  render();
});
refresh();

// SPDX-License-Identifier: Apache-2.0
// The page "Interruptions" of all Dags, of one Dag, or of one task.

import { addressOf, mirror, said } from "./address.js";
import { breakdown } from "./breakdown.js";
import { room } from "./card.js";
import { h, say, show } from "./dom.js";
import { save } from "./download.js";
import { Filters } from "./filters.js";
import { guide } from "./guide.js";
import { ask } from "./http.js";
import { PAGE, renderList } from "./list.js";
import { message } from "./message.js";
import { measures, overTime } from "./over-time.js";
import { addPatterns } from "./patterns.js";
import { recoveryParts } from "./recovery.js";
import { clock, moment, onTimeZoneChange } from "./time.js";
import { totals } from "./totals.js";
import { count } from "./words.js";

const RETRY = 10_000;
const REST = 500;
const AGAIN = 30_000; // how old the figures may be while somebody looks
const MOST = 200; // interruptions to one question, as the API allows
const SAVED = 5000; // interruptions in a file

const main = document.getElementById("page");
const parts = Object.fromEntries(
  ["heading", "summary", "message", "report", "list", "freshness"].map((id) => [id, document.getElementById(id)]),
);
const chart = h("div");

let asking = new AbortController();
let again = null;
let offset = 0;
let wanted = {}; // what the answers that are shown were asked for
let report = null;
let listed = null;
let measure = "interruptions";
let drawn = 0;

/** Ask for everything that the filters want, newest answers win. */
async function refresh({ quietly = false } = {}) {
  clearTimeout(again);
  asking.abort();
  asking = new AbortController();
  if (!quietly) offset = Math.min(Math.max(Number.parseInt(said().get("offset") ?? "", 10) || 0, 0), 1_000_000);
  wanted = filters.parameters();
  await load(async (signal) => {
    while (!(await readMore(signal))) await pause(REST, signal);
  }, quietly);
}

/** Show what the API server knows by now. After its start it has to read everything once, latest first; is it done? */
async function readMore(signal) {
  const before = JSON.stringify([report, listed]);
  [report, listed] = await Promise.all([
    ask("report", wanted, signal),
    ask("interruptions", { ...wanted, limit: PAGE, offset }, signal),
  ]);
  if (offset && offset >= listed.total && listed.complete) {
    offset = 0; // there were more when that page was looked at
    return false;
  }
  filters.suggest(suggestions());
  if (JSON.stringify([report, listed]) !== before) render();
  asOf();
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
    globalThis.history.pushState(null, "", addressOf({ offset: to ? String(to) : "" }));
    mirror();
    list();
    parts.list.scrollIntoView();
    parts.list.querySelector(".pager button:enabled")?.focus({ preventScroll: true });
  });
}

/** Do it, and say why if it cannot be done. What was shown before stays if that may pass: it says as of when it is. */
async function load(work, quietly = false) {
  const { signal } = asking;
  if (!quietly) main.setAttribute("aria-busy", "true");
  try {
    await work(signal);
    show(parts.message);
  } catch (refusal) {
    if (signal.aborted) return;
    if (!refusal.passing) {
      report = listed = null;
      for (const part of [parts.report, parts.list, parts.freshness]) show(part);
    }
    show(parts.message, message(refusal));
    if (refusal.passing) again = setTimeout(refresh, RETRY);
  }
  main.setAttribute("aria-busy", "false");
}

function asOf() {
  show(
    parts.freshness,
    h("span", { class: "muted" }, "As of ", h("span", { class: "number" }, clock(Date.now()))),
    h("button", { type: "button", click: () => refresh({ quietly: true }) }, "Refresh"),
  );
}

function render() {
  if (!report) return;
  const { interruptions, attempts } = report.totals;
  say(parts.summary, `${count(interruptions, "interruption")} of ${count(attempts, "attempt")}`);
  show(
    parts.report,
    notes().map((text) => h("p", { class: "notice" }, text)),
    attempts || report.before?.attempts || filters.narrowed || filters.custom ? figures() : guide(),
  );
  draw();
  list();
}

function notes() {
  const since = report.known_since;
  return [
    !report.complete && "Older attempts are still being read. These figures grow.",
    report.truncated && "The oldest attempts of this time are missing: there are more than the API server keeps in mind.",
    since &&
      Date.parse(since) > Date.parse(report.start) + AGAIN &&
      `Airflow keeps these records for a while only ([state_store] default_retention_days): nothing is known of what was before ${moment(since).slice(0, 16)}.`,
  ].filter(Boolean);
}

function figures() {
  const { interruptions } = report.totals;
  const currency = report.savings?.currency;
  const by = (title, name, rows) => {
    const choose = filters.offers(name) ? (value) => filters.set(name, value) : null;
    return breakdown(title, name, rows, { choose, currency, chosen: filters.get(name) });
  };
  return [
    totals(report),
    h(
      "section",
      { class: "card", "aria-labelledby": "over-time" },
      h("h2", { id: "over-time" }, "Over time"),
      h(
        "div",
        { class: "choices", role: "group", "aria-label": "What is drawn" },
        measures(report).map(([name, label]) =>
          h("button", { type: "button", name, "aria-pressed": String(name === measure), click: () => draw(name) }, label),
        ),
      ),
      chart,
    ),
    interruptions === 0 && h("p", { class: "empty" }, nothing()),
    h(
      "div",
      { class: "breakdowns" },
      interruptions > 0 && by("By cause", "cause", report.by_cause),
      by("By zone", "zone", report.by_zone),
      by("By instance type", "instance_type", report.by_instance_type),
      filters.offers("dag_id") && by("By Dag", "dag_id", report.by_dag),
      filters.offers("task_id") &&
        breakdown("By task", "task_id", report.by_task, { choose: chooseTask, currency, chosen: chosenTask() }),
      recoveryParts(report.recovery),
    ),
  ];
}

/** A task is named with its Dag, whose id holds no dot before the one between them, or is the one that is chosen. */
function chooseTask(value) {
  const dag = report.by_dag.map((row) => row.value).find((each) => value.startsWith(`${each}.`)) ?? "";
  filters.setAll(value === chosenTask() ? { task_id: "" } : { dag_id: dag, task_id: value.slice(dag.length + 1) });
}

function chosenTask() {
  return filters.get("task_id") ? `${filters.get("dag_id")}.${filters.get("task_id")}` : "";
}

function nothing() {
  return report.totals.attempts > 0
    ? "Nothing was interrupted in this time."
    : "No attempt of an interruptible task ended in this time. Choose a longer one, or fewer filters.";
}

function draw(name = measure) {
  const width = room(parts.report);
  if (!report || width <= 0) return;
  [drawn, measure] = [width, name];
  for (const button of parts.report.querySelectorAll(".choices button"))
    button.setAttribute("aria-pressed", String(button.name === measure));
  show(chart, overTime(report, measure, width, (start, end) => filters.setAll({ range: "custom", start, end })));
}

function list() {
  if (report.totals.interruptions > 0) renderList(parts.list, listed, offset, turn, download);
  else show(parts.list);
}

async function download() {
  await load(async (signal) => {
    const items = [];
    for (let at = 0; at < Math.min(listed.total, SAVED); at += MOST)
      items.push(...(await ask("interruptions", { ...wanted, limit: MOST, offset: at }, signal)).items);
    const columns = Object.keys(items[0] ?? {});
    save("interruptions.csv", [columns, ...items.map((item) => columns.map((name) => item[name]))]);
  });
}

function suggestions() {
  const values = (rows) => rows.map((row) => row.value).filter(Boolean);
  const dags = values(report.by_dag);
  const short = (task) => task.slice((dags.find((dag) => task.startsWith(`${dag}.`)) ?? "").length + 1);
  return {
    zone: values(report.by_zone),
    instance_type: values(report.by_instance_type),
    dag_id: dags,
    task_id: [...new Set(values(report.by_task).map(short))],
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
  asOf();
});
setInterval(() => {
  // What has the keyboard's focus stays; "as of" tells how old the figures are, and Refresh makes them new.
  if ([parts.report, parts.list].some((part) => part.contains(document.activeElement))) return;
  if (!document.hidden && main.getAttribute("aria-busy") === "false") refresh({ quietly: true });
}, AGAIN);
refresh();

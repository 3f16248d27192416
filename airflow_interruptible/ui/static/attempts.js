// SPDX-License-Identifier: Apache-2.0
// The tab "Attempts" of a task instance. Asks again while the task is not finished and somebody looks.

import { AttemptsTable } from "./attempts-table.js";
import { budgets } from "./budget.js";
import { room } from "./card.js";
import { h, say, show } from "./dom.js";
import { guide } from "./guide.js";
import { ask } from "./http.js";
import { message } from "./message.js";
import { addPatterns } from "./patterns.js";
import { onTimeZoneChange } from "./time.js";
import { timeline } from "./timeline.js";

const POLL = 3000;
const POLL_AFTER_ERROR = 10_000;
const REDRAW = 5000;

const query = new URLSearchParams(globalThis.location.search);
const instance = {
  dag_id: query.get("dag_id"),
  run_id: query.get("run_id"),
  task_id: query.get("task_id"),
  map_index: /^\d+$/.test(query.get("map_index") ?? "") ? query.get("map_index") : -1, // Airflow leaves {MAP_INDEX} as it is where there is none
};

const main = document.getElementById("page");
const parts = {
  summary: document.getElementById("summary"),
  message: document.getElementById("message"),
  content: document.getElementById("content"),
};
const places = { budgets: h("div"), timeline: h("div", { class: "card" }), table: h("div"), explanation: h("div") };

let answer = null;
let shown = "";
let table = null;
let timer = null;
let asking = false;
let drawn = { width: 0, at: 0 };

async function refresh() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  try {
    render(await ask("attempts", instance));
    show(parts.message);
    if (answer.live) later(POLL);
  } catch (refusal) {
    show(parts.message, message(refusal));
    if (refusal.passing) later(POLL_AFTER_ERROR);
  }
  asking = false;
  main.setAttribute("aria-busy", "false");
}

function later(milliseconds) {
  timer = document.hidden ? null : setTimeout(refresh, milliseconds);
}

function render(fresh) {
  const as = JSON.stringify(fresh);
  const first = answer === null || answer.annotated !== fresh.annotated;
  answer = fresh;
  if (as === shown) return;
  shown = as;
  say(parts.summary, fresh.summary);
  parts.summary.classList.toggle("live", fresh.live);
  if (first) show(parts.content, places.explanation, places.budgets, places.timeline, places.table);
  show(places.explanation, fresh.annotated ? null : guide("Until then, these are its tries as Airflow knows them."));
  show(places.budgets, budgets(fresh));
  renderTable(first);
  draw();
}

function renderTable(first) {
  if (first) table = new AttemptsTable(answer.annotated);
  table.update(answer.attempts);
  table.tick();
  const none = h("p", { class: "empty" }, "No attempt has started yet.");
  const wanted = answer.attempts.length ? table.element : none;
  if (places.table.firstChild !== table.element || wanted === none) show(places.table, wanted);
}

function draw() {
  const width = room(parts.content);
  if (!answer || width <= 0) return;
  drawn = { width, at: Date.now() };
  show(places.timeline, timeline(answer.attempts, width));
}

addPatterns();
new ResizeObserver(() => {
  if (room(parts.content) !== drawn.width) draw();
}).observe(parts.content);
onTimeZoneChange(() => {
  table = null;
  const again = answer;
  answer = null;
  shown = "";
  if (again) render(again);
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else if (answer === null || answer.live) refresh();
});
setInterval(() => {
  if (!answer?.live || document.hidden) return;
  table?.tick();
  const growing = answer.attempts.length > 0 && !answer.attempts.at(-1).end;
  if (growing && Date.now() - drawn.at > REDRAW) draw();
}, 1000);
document.title = `Attempts of ${instance.task_id}`;
refresh();

// SPDX-License-Identifier: Apache-2.0
// The tab "Attempts" of a task instance. Asks again while the task is not finished and somebody looks.

import { addressOf, mirror, said } from "./address.js";
import { AttemptsTable } from "./attempts-table.js";
import { budgets } from "./budget.js";
import { room } from "./card.js";
import { h, name, say, show } from "./dom.js";
import { guide } from "./guide.js";
import { ask } from "./http.js";
import { inAirflow, runTab } from "./links.js";
import { message } from "./message.js";
import { addPatterns } from "./patterns.js";
import { onTimeZoneChange } from "./time.js";
import { timeline } from "./timeline.js";

const POLL = 3000;
const POLL_AFTER_ERROR = 10_000;
const REDRAW = 5000;
const ENDED = "ended"; // of the address

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
const places = { mapped: h("div"), steps: h("div"), budgets: h("div"), timeline: h("div", { class: "card" }), table: h("div"), explanation: h("div") };

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
    const mapped = refusal.status === 404 && instance.map_index === -1;
    show(parts.message, message(refusal), mapped && h("p", {}, inAirflow(runTab(instance), "If the task is mapped, its indexes are told here.")));
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
  if (first) show(parts.content, places.mapped, places.explanation, places.budgets, places.steps, places.timeline, places.table);
  show(places.explanation, fresh.annotated ? null : guide("Until then, these are its tries as Airflow knows them."));
  show(places.mapped, fresh.map_index >= 0 && h("p", {}, inAirflow(runTab(fresh), `All indexes of ${fresh.task_id}`)));
  show(places.budgets, budgets(fresh));
  show(places.steps, steps(fresh.next_steps));
  renderTable(first);
  draw();
}

function renderTable(first) {
  if (first) table = new AttemptsTable(answer.annotated, answer, choose);
  table.update(answer.attempts, answer.cleared_after);
  if (first) table.only(said().get(ENDED) ?? "");
  table.tick();
  const none = h("p", { class: "empty" }, "No attempt has started yet.");
  const wanted = answer.attempts.length ? table.element : none;
  if (places.table.firstChild !== table.element || wanted === none) show(places.table, wanted);
}

/** Filter by how attempts ended. It stands in the address, and Back undoes it. */
function choose(how) {
  globalThis.history.pushState(null, "", addressOf({ [ENDED]: how }));
  mirror();
  table.only(how);
}

function steps(sentences) {
  if (!sentences.length) return null;
  return h(
    "section",
    { class: "card", "aria-labelledby": "next-steps" },
    h("h2", { id: "next-steps" }, "What to do"),
    h("ul", { class: "steps" }, sentences.map((each) => h("li", {}, name(each)))),
  );
}

function draw() {
  const width = room(parts.content);
  if (!answer || width <= 0) return;
  drawn = { width, at: Date.now() };
  show(places.timeline, timeline(answer.attempts, width, (attempt) => table?.reveal(attempt)));
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
addEventListener("popstate", () => {
  mirror();
  table?.only(new URLSearchParams(globalThis.location.search).get(ENDED) ?? "");
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
if (said().has(ENDED)) globalThis.history.replaceState(null, "", addressOf({ [ENDED]: said().get(ENDED) }));
refresh();

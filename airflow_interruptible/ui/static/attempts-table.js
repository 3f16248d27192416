// SPDX-License-Identifier: Apache-2.0
// The attempts as a table, newest first. A row is replaced only if its attempt has changed, so that a page that is read,
// selected or listened to stays as it is while the task runs.

import { capacityBadge, icon, outcomeBadge } from "./badges.js";
import { h, name, say, show } from "./dom.js";
import { elsewhere } from "./links.js";
import { heads, when } from "./records.js";
import { clock, day, duration, timeZone } from "./time.js";
import * as words from "./words.js";

const OURS = ["Attempt", "Capacity", "Time", "How it ended", "Charged to", "Where"];
const PLAIN = ["Attempt", "Time", "How it ended", "Where"];

export class AttemptsTable {
  #rows = new Map();
  #body = h("tbody", { role: "rowgroup" });
  #columns;

  constructor(annotated) {
    this.#columns = annotated ? OURS : PLAIN;
    this.element = h(
      "table",
      { class: "records", role: "table" },
      h("caption", { class: "visually-hidden" }, "Attempts, newest first"),
      heads(this.#columns, "Where"),
      this.#body,
    );
  }

  /** Show these attempts, oldest first as the API tells them. */
  update(attempts) {
    const known = this.#rows;
    this.#rows = new Map(attempts.map((attempt) => [attempt.attempt, this.#row(attempt, known.get(attempt.attempt))]));
    const rows = [...this.#rows.values()].map(({ row }) => row).reverse();
    const same =
      rows.length === this.#body.children.length && rows.every((row, index) => row === this.#body.children[index]);
    if (!same) show(this.#body, rows);
  }

  /** Let the durations of what still runs go on. */
  tick(now = Date.now()) {
    for (const { attempt, length } of this.#rows.values()) {
      if (attempt.start && !attempt.end)
        say(length, duration(Math.floor((now - Date.parse(attempt.start)) / 1000) * 1000));
    }
  }

  #row(attempt, known) {
    const as = JSON.stringify(attempt);
    if (known?.as === as) return known;
    const length = h(
      "span",
      { class: "number" },
      attempt.start && attempt.end ? duration(Date.parse(attempt.end) - Date.parse(attempt.start)) : "",
    );
    const cells = this.#columns.map((column) =>
      h(
        column === "Attempt" ? "th" : "td",
        column === "Attempt"
          ? { scope: "row", role: "rowheader", "data-label": column }
          : { role: "cell", "data-label": column },
        CELLS[column](attempt, length),
      ),
    );
    return {
      as,
      attempt,
      length,
      row: h("tr", { id: `attempt-${attempt.attempt}`, role: "row", tabindex: -1 }, cells),
    };
  }
}

const CELLS = {
  Attempt: ({ attempt }) => attempt,
  Capacity: ({ capacity, placed_because: why }) => [capacityBadge(capacity), why && h("p", { class: "muted" }, why)],
  Time: ({ start, end }, length) =>
    h(
      "dl",
      { class: "facts" },
      fact("Start", start ? when(start) : "not started"),
      end && fact("End", when(end)),
      start && fact("Duration", length),
    ),
  "How it ended": (attempt) => [
    outcomeBadge(attempt),
    attempt.error && h("p", { class: "reason" }, h("code", {}, name(attempt.error))),
    attempt.reason && h("p", { class: "reason" }, name(attempt.reason)),
    attempt.rule && h("p", { class: "muted" }, "Rule ", rule(attempt)),
    attempt.notice && h("p", { class: "muted" }, icon("flag"), noticed(attempt)),
    attempt.checkpoint && h("p", { class: "muted" }, icon("save"), saved(attempt)),
  ],
  "Charged to": ({ charge, user_retries_left: user, system_retries_left: system }) => {
    const known = words.charge(charge);
    return [
      known
        ? [known.label, known.note && h("span", { class: "muted" }, `, ${known.note}`)]
        : h("span", { class: "muted" }, "not yet"),
      user !== null && system !== null && h("p", { class: "muted" }, `${user} user, ${system} system left`),
    ];
  },
  Where: ({ where }) => {
    const known = words.places(where);
    if (!known.length) return h("span", { class: "muted" }, "not known");
    return h(
      "dl",
      { class: "facts" },
      known.map(([label, value]) => fact(label, h("code", {}, name(value)))),
    );
  },
};

function fact(label, value) {
  return h("div", {}, h("dt", {}, label), h("dd", {}, value));
}

function rule({ rule: id, rule_source: source }) {
  return source ? elsewhere(source, h("code", {}, id)) : h("code", {}, id);
}

function noticed({ start, notice: { provider, at, deadline } }) {
  return [`Notice of ${provider}, `, near(at, start), deadline && [", for ", near(deadline, start)]];
}

function saved({ start, checkpoint: { at, loaded } }) {
  if (!at) return loaded && "Began from a checkpoint";
  return ["Checkpoint saved, ", near(at, start), loaded && "; began from the one before"];
}

/** A time of the attempt: the date is told only if it is another one than that of its start. */
function near(time, start) {
  const today = start && day(time, timeZone()) === day(start, timeZone());
  return today ? h("span", { class: "number" }, clock(time)) : when(time);
}

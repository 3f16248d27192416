// SPDX-License-Identifier: Apache-2.0
// The attempts as a table, newest first. A row is replaced only if its attempt has changed, so that a page that is read,
// selected or listened to stays as it is while the task runs.

import { capacityBadge, icon, outcomeBadge } from "./badges.js";
import { h, name, say, show } from "./dom.js";
import { copyButton } from "./copy.js";
import { elsewhere, inAirflow, logOf } from "./links.js";
import { heads, when } from "./records.js";
import { clock, day, duration, timeZone } from "./time.js";
import * as words from "./words.js";

const PAGE = 50; // more are shown when a person asks for them
const OURS = ["Attempt", "Capacity", "Time", "How it ended", "Charged to", "Where"];
const PLAIN = ["Attempt", "Time", "How it ended", "Where"];

export class AttemptsTable {
  #rows = new Map();
  #body = h("tbody", { role: "rowgroup" });
  #columns;
  #instance;
  #attempts = [];
  #shown = PAGE;
  #ended = "";
  #choose;
  #cleared = [];
  #more = h("div", { class: "pager" });
  #chips = h("div", { class: "choices", role: "group", "aria-label": "Filter by how they ended" });

  /**
   * @param instance the task instance, as the API names it
   * @param choose called when a person filters by how attempts ended, with that or with ""; it calls `only`
   */
  constructor(annotated, instance, choose) {
    this.#choose = choose;
    this.#columns = annotated ? OURS : PLAIN;
    this.#instance = instance;
    const table = h(
      "table",
      { class: "records", role: "table", "aria-labelledby": "attempts-heading" },
      heads(this.#columns, "Where"),
      this.#body,
    );
    this.element = h("section", {}, h("h2", { id: "attempts-heading" }, "Attempts, newest first"), this.#chips, table, this.#more);
  }

  /** Bring the row of an attempt onto the page, whatever is filtered by. */
  reveal(attempt) {
    if (this.#chosen && this.#attempts.some((each) => each.attempt === attempt && ended(each) !== this.#chosen)) this.#choose("");
    this.#shown = Math.max(this.#shown, this.#attempts.length - this.#attempts.findIndex((each) => each.attempt === attempt));
    this.update(this.#attempts);
    const row = document.getElementById(`attempt-${attempt}`);
    row?.scrollIntoView({ block: "center" });
    row?.focus({ preventScroll: true });
  }

  /** Show only attempts that ended so, "" for all. */
  only(how) {
    [this.#ended, this.#shown] = [how, PAGE];
    this.update(this.#attempts);
  }

  /** What is filtered by, if there is any such attempt. */
  get #chosen() {
    return this.#attempts.some((attempt) => ended(attempt) === this.#ended) ? this.#ended : "";
  }

  /** Show these attempts, oldest first as the API tells them. */
  update(attempts, cleared = this.#cleared) {
    this.#attempts = attempts;
    this.#cleared = cleared;
    const chosen = this.#chosen;
    const found = chosen ? attempts.filter((attempt) => ended(attempt) === chosen) : attempts;
    const known = this.#rows;
    this.#chip(attempts);
    const rest = found.length - this.#shown;
    show(
      this.#more,
      rest > 0 && h("button", { type: "button", click: () => ((this.#shown += PAGE), this.update(this.#attempts)) }, `Show ${Math.min(rest, PAGE)} more of ${rest}`),
    );
    this.#rows = new Map(found.slice(-this.#shown).map((attempt) => [attempt.attempt, this.#row(attempt, known.get(attempt.attempt))]));
    const rows = [...this.#rows.values()].map(({ row }) => row).reverse();
    const same =
      rows.length === this.#body.children.length && rows.every((row, index) => row === this.#body.children[index]);
    if (!same) show(this.#body, rows);
  }

  #chip(attempts) {
    const counts = new Map();
    for (const attempt of attempts) counts.set(ended(attempt), (counts.get(ended(attempt)) ?? 0) + 1);
    const focused = document.activeElement?.closest(".choices")?.contains(document.activeElement) && document.activeElement.name;
    const chosen = this.#chosen;
    show(
      this.#chips,
      counts.size > 1 &&
        [...counts].map(([value, times]) =>
          h("button", { type: "button", name: value, "aria-pressed": String(chosen === value), click: () => this.#choose(chosen === value ? "" : value) }, `${value} `, h("span", { class: "number" }, times)),
        ),
    );
    if (focused) this.#chips.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
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
        CELLS[column](attempt, length, this.#instance, this.#cleared),
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
  Attempt: ({ attempt, start, capacity }, _length, instance, cleared) => [
    h("span", { class: "number" }, attempt),
    (start || capacity === null) &&
      h("p", {}, inAirflow(logOf(instance, attempt), "Log", h("span", { class: "visually-hidden" }, ` of attempt ${attempt}`))),
    cleared.includes(attempt - 1) && h("p", { class: "muted" }, "First after a clear: both budgets afresh"),
  ],
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
    attempt.error && h("p", { class: "reason error-line" }, h("code", {}, name(attempt.error)), copyButton(attempt.error, "the error")),
    evidence(attempt),
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
  Where: ({ where, links }) => {
    const known = words.places(where);
    if (!known.length) return h("span", { class: "muted" }, "not known");
    return h(
      "dl",
      { class: "facts" },
      known.map(([label, value, key]) => {
        const code = h("code", {}, name(value));
        return fact(label, [links?.[key] ? elsewhere(links[key], code) : code, COPIED.has(key) && copyButton(String(where[key]), label.toLowerCase())]);
      }),
    );
  },
};

const COPIED = new Set(["host", "node", "pod", "instance_id", "job"]);

/** What an attempt came to, as the chips name it. */
function ended(attempt) {
  return words.outcome(attempt).label;
}

function evidence(attempt) {
  const text = words.evidence(attempt);
  return text && h("p", { class: "reason" }, name(text));
}

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

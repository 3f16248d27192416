// SPDX-License-Identifier: Apache-2.0
// Who was hit: a row for each zone, type, Dag, ... with how much of it there was, so that a rate can be told from a count.

import { causeBadge } from "./badges.js";
import { h, name as named, show, svg } from "./dom.js";
import { hours, money, number, percent, perHundred } from "./numbers.js";
import { known } from "./words.js";

const SHOWN = 8; // rows before a person asks for more

const COLUMNS = [
  { key: "interruptions", label: "Interrupted", of: (row) => row.interruptions, text: (value) => number(value) },
  { key: "attempts", label: "Attempts", of: (row) => row.attempts, text: (value) => number(value) },
  { key: "per_attempt", label: "Of attempts", of: (row) => row.per_attempt, text: (value) => percent(value) },
  { key: "spot_hours", label: "Spot hours", of: (row) => row.spot_hours, text: (value) => hours(value) },
  { key: "per_spot_hour", label: "Per 100 spot h", of: (row) => row.per_spot_hour, text: (value) => perHundred(value) },
  { key: "lost_hours", label: "Hours lost", of: (row) => row.lost_hours, text: (value) => hours(value) },
  { key: "saved", label: "Saved (est.)", of: (row) => row.saved, text: (value, currency) => money(value, currency) },
];

/**
 * @param rows what the API answered for one dimension
 * @param choose called with a value when a person picks it; null where it cannot be filtered by
 */
export function breakdown(title, name, rows, { choose = null, currency = null, chosen = "" } = {}) {
  const columns = COLUMNS.filter(({ key }) => key !== "saved" || rows.some((row) => row.saved !== null));
  const body = h("tbody", { role: "rowgroup" });
  const heads = h("tr", { role: "row" });
  let [by, all] = ["interruptions", false];

  function draw() {
    const { of } = columns.find(({ key }) => key === by);
    const sorted = [...rows].sort((one, other) => (of(other) ?? -Infinity) - (of(one) ?? -Infinity));
    const most = Math.max(1, ...rows.map((row) => row.interruptions));
    show(
      heads,
      h("th", { scope: "col", role: "columnheader" }, title.replace("By ", "").replace(/^./, (c) => c.toUpperCase())),
      columns.map(({ key, label }) =>
        h(
          "th",
          { scope: "col", role: "columnheader", class: "amount", "aria-sort": key === by ? "descending" : null },
          h("button", { type: "button", class: "link", name: key, click: () => sort(key) }, label, key === by && " ↓"),
        ),
      ),
    );
    show(
      body,
      (all ? sorted : sorted.slice(0, SHOWN)).map((row) =>
        share(row, columns, { most, currency, value: value(name, row.value, { choose, chosen }) }),
      ),
    );
  }

  function sort(key) {
    by = key;
    draw();
    heads.querySelector(`[name="${key}"]`).focus();
  }

  function unfold(event) {
    all = true;
    draw();
    event.currentTarget.remove();
  }

  draw();
  return h(
    "section",
    { class: "card", "aria-labelledby": `by-${name}` },
    h("h2", { id: `by-${name}` }, title),
    h(
      "table",
      { class: columns.length < COLUMNS.length ? "breakdown moneyless" : "breakdown", role: "table", "aria-labelledby": `by-${name}` },
      h("thead", { role: "rowgroup" }, heads),
      body,
    ),
    rows.length > SHOWN &&
      h("button", { type: "button", class: "link", click: unfold }, `Show ${number(rows.length - SHOWN)} more`),
  );
}

function share(row, columns, { most, currency, value: shown }) {
  return h(
    "tr",
    { role: "row" },
    h("th", { scope: "row", role: "rowheader" }, shown),
    columns.map(({ key, label, of, text }) =>
      h(
        "td",
        { role: "cell", class: "amount", "data-label": label },
        key === "interruptions" && meter(row.interruptions / most),
        h("span", { class: "number" }, of(row) === null ? "–" : text(of(row), currency)),
      ),
    ),
  );
}

function value(name, text, { choose, chosen }) {
  const shown = name === "cause" ? causeBadge(text) : named(known(text));
  if (!choose) return shown;
  const properties = { type: "button", class: "link", title: "Filter by this", "aria-pressed": String(chosen === text) };
  return h("button", { ...properties, click: () => choose(text) }, shown);
}

function meter(share) {
  const bar = svg("rect", { class: "measured", width: Math.max(0.5, share * 100), height: 8, rx: 1 });
  return svg("svg", { class: "meter", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, bar);
}

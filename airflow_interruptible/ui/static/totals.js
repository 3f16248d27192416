// SPDX-License-Identifier: Apache-2.0
// The figures at the top of the page "Interruptions".

import { hours } from "./charts.js";
import { h } from "./dom.js";

/** @param report what the API answered */
export function totals({ totals: all, savings }) {
  return h(
    "dl",
    { class: "tiles totals" },
    figure("Interruptions", number(all.interruptions), `of ${number(all.attempts)} attempts`),
    figure("Forgiven", number(all.forgiven), "cost no user retry"),
    figure("No spot capacity", number(all.no_capacity), "attempts that found none"),
    figure("Fallbacks", number(all.on_demand_fallbacks), "attempts on demand after one on spot"),
    figure("False alarms", number(all.false_alarms), "a notice, and no interruption"),
    figure("Spot hours", hours(all.spot_hours), "in which spot was used"),
    figure("On-demand hours", hours(all.on_demand_hours), "in which on-demand was used"),
    figure("Hours lost", hours(all.lost_hours), "in attempts that were interrupted"),
    saved(savings),
  );
}

function saved(savings) {
  if (!savings)
    return estimate(
      "–",
      "Nothing to estimate from: the setting [interruptible] prices says what an hour costs on spot and on demand.",
    );
  return estimate(money(savings.amount, savings.currency), savings.note);
}

function estimate(value, note) {
  return figure("Saved (estimate)", value, note, "tile estimate");
}

function figure(label, value, meaning, kind = "tile") {
  return h(
    "div",
    { class: kind },
    h("dt", {}, label),
    h("dd", {}, h("span", { class: "figure" }, value), h("p", { class: "muted" }, meaning)),
  );
}

function number(value) {
  return value.toLocaleString("en");
}

function money(amount, currency) {
  try {
    return new Intl.NumberFormat("en", {
      style: "currency",
      currency,
      maximumFractionDigits: Math.abs(amount) < 100 ? 2 : 0,
    }).format(amount);
  } catch {
    return `${number(amount)} ${currency}`; // not an ISO 4217 code
  }
}

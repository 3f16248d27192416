// SPDX-License-Identifier: Apache-2.0
// The figures at the top of the page "Interruptions", each beside what it was in the period before.

import { h } from "./dom.js";
import { hours, money, number, percent, perHundred } from "./numbers.js";
import { roughly } from "./time.js";

/** @param report what the API answered */
export function totals({ totals: all, before, savings, recovery, on_spot_now: now, by_cause: causes }) {
  const was = (text, of) => (before ? `${text(of(before))} in the period before` : null);
  const onSpot = causes.reduce((sum, cause) => sum + cause.spot_interruptions, 0);
  return h(
    "dl",
    { class: "tiles totals" },
    figure(
      "Interruptions",
      number(all.interruptions),
      `of ${number(all.attempts)} attempts, ${percent(all.attempts ? all.interruptions / all.attempts : null)}`,
      was(number, (them) => them.interruptions),
    ),
    figure(
      "Per 100 spot hours",
      perHundred(all.spot_hours ? onSpot / all.spot_hours : null),
      `${number(onSpot)} interruptions on spot in ${hours(all.spot_hours)} hours`,
    ),
    figure(
      "Forgiven",
      number(all.forgiven),
      "cost no user retry",
      was(number, (them) => them.forgiven),
    ),
    figure(
      "No spot capacity",
      number(all.no_capacity),
      "attempts that found none",
      was(number, (them) => them.no_capacity),
    ),
    figure(
      "Fallbacks",
      number(all.on_demand_fallbacks),
      "attempts on demand after one on spot",
      was(number, (them) => them.on_demand_fallbacks),
    ),
    figure(
      "False alarms",
      number(all.false_alarms),
      "a notice, and no interruption",
      was(number, (them) => them.false_alarms),
    ),
    figure(
      "Spot hours",
      hours(all.spot_hours),
      `on machines; on spot now: ${number(now)}`,
      was(hours, (them) => them.spot_hours),
    ),
    figure(
      "On-demand hours",
      hours(all.on_demand_hours),
      "on machines",
      was(hours, (them) => them.on_demand_hours),
    ),
    figure(
      "Hours lost",
      hours(all.lost_hours),
      "by all interruptions, since the last checkpoint of each",
      was(hours, (them) => them.lost_hours),
    ),
    figure(
      "Time to recover",
      recovery ? roughly(recovery.median * 1000) : "–",
      recovery
        ? `median; 95 % within ${roughly(recovery.p95 * 1000)}; ${number(recovery.count)} interruptions`
        : "from the last sign of an interrupted attempt to the next at work",
    ),
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
  return figure("Saved (estimate)", value, note, null, "tile estimate");
}

function figure(label, value, meaning, before = null, kind = "tile") {
  return h(
    "div",
    { class: kind },
    h("dt", {}, label),
    h(
      "dd",
      {},
      h("span", { class: "figure" }, value),
      h("p", { class: "muted" }, meaning),
      before && h("p", { class: "muted" }, before),
    ),
  );
}

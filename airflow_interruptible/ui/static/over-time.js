// SPDX-License-Identifier: Apache-2.0
// What happened hour by hour or day by day, as stacked bars of whatever a person wants to see. Every number that is drawn is
// also written in a table.

import { h, svg, textWidth } from "./dom.js";
import { hours, money, number } from "./numbers.js";
import { clock, day, moment, timeZone } from "./time.js";
import { cause, INTERRUPTIONS } from "./words.js";

const HEIGHT = 180;
const MARGIN = { top: 8, right: 8, bottom: 24 };
const GAP = 8;
const WIDEST = 48;
const HOUR = 3_600_000;

const part = (key, label, style) => ({ key, label, style });
const MEASURES = {
  interruptions: {
    label: "Interruptions",
    parts: INTERRUPTIONS.map((name) => part(name, cause(name).label, `${cause(name).colour} ${cause(name).fill}`)),
    text: number,
  },
  attempts: { label: "Attempts", parts: [part("attempts", "Attempts", "brand solid")], text: number },
  hours: {
    label: "Hours",
    parts: [part("spot_hours", "Spot", "spot-part"), part("on_demand_hours", "On demand", "brand solid")],
    text: hours,
  },
  lost: { label: "Hours lost", parts: [part("lost_hours", "Hours lost", "orange hatched")], text: hours },
  saved: { label: "Saved (estimate)", parts: [part("saved", "Saved (estimate)", "brand solid")], text: money },
};

/** `[[name, label], ...]` of what can be shown of a report. */
export function measures({ savings }) {
  return Object.entries(MEASURES)
    .filter(([name]) => name !== "saved" || savings)
    .map(([name, { label }]) => [name, label]);
}

/**
 * A figure of one measure, and a table of the same numbers.
 * @param choose called with the first and the last moment of the hour or day that a person picks, as ISO 8601
 */
export function overTime({ over_time: buckets, savings }, name, width, choose) {
  const measure = MEASURES[name] ?? MEASURES.interruptions;
  const hourly = buckets.length > 1 && Date.parse(buckets[1].start) - Date.parse(buckets[0].start) <= HOUR;
  const label = (time, before) => (hourly ? hour(time, before) : day(time));
  const long = hourly ? HOUR : 24 * HOUR;
  const pick = ({ start }) => choose(new Date(start).toISOString(), new Date(Date.parse(start) + long).toISOString());
  const written = ({ start }) => (hourly ? moment(start).slice(0, 16) : moment(start, "UTC").slice(0, 10));
  const text = (value) => measure.text(value, savings?.currency);
  return h(
    "figure",
    {},
    stackedBars(buckets, measure, { width, label, text, written, pick }),
    h(
      "figcaption",
      {},
      legend(measure),
      h("span", { class: "muted" }, hourly ? `by the hour, times in ${timeZone()}` : "by the day, in UTC"),
    ),
    numbers(buckets, measure, { hourly, text, written, pick }),
  );
}

/** The hour, or the day where the mark before is of another one, or there is none. */
function hour(time, before) {
  const today = day(time, timeZone());
  return before && day(before, timeZone()) === today ? clock(time).slice(0, 5) : today;
}

function stackedBars(buckets, measure, { width, label, text, written, pick }) {
  const sums = buckets.map((bucket) => measure.parts.reduce((all, { key }) => all + (bucket[key] ?? 0), 0));
  const [most, least] = [Math.max(1e-9, ...sums), Math.min(0, ...sums)];
  const step = niceStep(Math.max(most, -least), measure.text === number);
  const [top, bottom] = [Math.ceil(most / step) * step, Math.floor(least / step) * step];
  const lines = Array.from({ length: Math.round((top - bottom) / step) + 1 }, (_, index) => bottom + index * step);
  const left = GAP + Math.max(...lines.map((value) => textWidth(text(value))));
  const slot = (width - left - MARGIN.right) / Math.max(1, buckets.length);
  const y = (value) => MARGIN.top + ((top - value) / (top - bottom)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const x = (index) => left + (index + 0.5) * slot;
  const wide = Math.min(WIDEST, Math.max(1, slot * 0.75));
  const widest = Math.max(...buckets.map(({ start }) => Math.max(textWidth(label(start)), textWidth(label(start, start)))));
  const every = Math.max(1, Math.ceil((widest + GAP) / slot));
  const within = (middle) => Math.min(Math.max(middle, widest / 2), width - widest / 2);
  return svg(
    "svg",
    {
      width,
      height: HEIGHT,
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: "img",
      "aria-label": `${measure.label}, ${text(sums.reduce((all, each) => all + each, 0))} in all; the numbers are in the table below`,
    },
    svg(
      "g",
      { class: "axis" },
      lines.map((value) => svg("line", { x1: left, x2: width - MARGIN.right, y1: y(value), y2: y(value) })),
      lines.map((value) => svg("text", { x: left - GAP, y: y(value) + 4, "text-anchor": "end" }, text(value))),
      buckets.map(
        (bucket, index) =>
          index % every === 0 &&
          svg("text", { x: within(x(index)), y: HEIGHT - 6, "text-anchor": "middle" }, label(bucket.start, buckets[index - every]?.start)),
      ),
    ),
    buckets.map((bucket, index) => stack(bucket, measure, { left: x(index) - wide / 2, wide, y, text, written, pick })),
  );
}

function stack(bucket, { parts, label: name }, { left, wide, y, text, written, pick }) {
  let below = 0;
  const drawn = parts
    .filter(({ key }) => bucket[key])
    .map(({ key, style }) => {
      const from = below;
      below += bucket[key];
      const [high, low] = [Math.min(y(below), y(from)), Math.max(y(below), y(from))];
      return svg("rect", { class: `part ${style}`, x: left, width: wide, y: high, height: low - high });
    });
  const told = parts.map(({ key, label: each }) => `${each}: ${text(bucket[key] ?? 0)}`);
  const lines = [written(bucket), ...(parts.length > 1 ? [`${name}: ${text(below)}`] : []), ...told];
  return drawn.length > 0 && svg("g", { class: "stack", click: () => pick(bucket) }, svg("title", {}, lines.join("\n")), drawn);
}

function legend({ parts }) {
  const swatch = (style) =>
    svg(
      "svg",
      { width: 18, height: 12, "aria-hidden": "true" },
      svg("rect", { class: `part ${style}`, width: 18, height: 12, rx: 2 }),
    );
  return h(
    "ul",
    { class: "legend" },
    parts.map(({ label, style }) => h("li", {}, swatch(style), label)),
  );
}

function numbers(buckets, { parts, label }, { hourly, text, written, pick }) {
  const picked = (bucket) => h("button", { type: "button", class: "link", title: "Only this time", click: () => pick(bucket) }, written(bucket));
  const row = (bucket) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("time", { datetime: bucket.start, class: "number" }, picked(bucket))),
      parts.map(({ key }) => h("td", { class: "amount" }, text(bucket[key] ?? 0))),
    );
  return h(
    "details",
    {},
    h("summary", {}, "Show the numbers"),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": `${label} over time` },
      h(
        "table",
        { class: "records plain" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, hourly ? `Hour (${timeZone()})` : "Day (UTC)"),
            parts.map((each) => h("th", { scope: "col", class: "amount" }, each.label)),
          ),
        ),
        h("tbody", {}, buckets.map(row)),
      ),
    ),
  );
}

function niceStep(most, whole) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => most / each <= 4) ?? 10 * power;
  return whole ? Math.max(1, step) : step;
}

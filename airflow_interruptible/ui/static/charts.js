// SPDX-License-Identifier: Apache-2.0
// Interruptions over time as stacked bars, and by anything as rows with a bar. Every number that is drawn is also written.

import { causeBadge } from "./badges.js";
import { h, name as named, svg, textWidth } from "./dom.js";
import { clock, day, moment, timeZone } from "./time.js";
import { cause, count, INTERRUPTIONS, known } from "./words.js";

const HEIGHT = 180;
const MARGIN = { top: 8, right: 8, bottom: 24 };
const GAP = 8;
const WIDEST = 48;
const SHOWN = 8; // rows of a breakdown before a person asks for more
const HOUR = 3_600_000;

/** The buckets of `over_time`, and a table of the same numbers. */
export function overTime(buckets, width) {
  const hourly = buckets.length > 1 && Date.parse(buckets[1].start) - Date.parse(buckets[0].start) <= HOUR;
  const label = (time) => (hourly ? hour(time) : day(time));
  return h(
    "figure",
    {},
    stackedBars(buckets, width, label),
    h(
      "figcaption",
      {},
      legend(),
      h("span", { class: "muted" }, hourly ? `by the hour, times in ${timeZone()}` : "by the day, in UTC"),
    ),
    numbers(buckets, hourly),
  );
}

function hour(time) {
  const [text, zone] = [clock(time).slice(0, 5), timeZone()];
  return text === "00:00" ? day(time, zone) : text;
}

function stackedBars(buckets, width, label) {
  const most = Math.max(1, ...buckets.map(sum));
  const step = niceStep(most);
  const top = Math.ceil(most / step) * step;
  const lines = Array.from({ length: top / step + 1 }, (_, index) => index * step);
  const left = GAP + Math.max(...lines.map((value) => textWidth(value.toLocaleString("en"))));
  const slot = (width - left - MARGIN.right) / Math.max(1, buckets.length);
  const y = (value) => MARGIN.top + (1 - value / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const x = (index) => left + (index + 0.5) * slot;
  const wide = Math.min(WIDEST, Math.max(1, slot * 0.75));
  const widest = Math.max(...buckets.map((bucket) => textWidth(label(bucket.start))));
  const every = Math.max(1, Math.ceil((widest + GAP) / slot));
  const within = (middle) => Math.min(Math.max(middle, widest / 2), width - widest / 2);
  return svg(
    "svg",
    {
      width,
      height: HEIGHT,
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: "img",
      "aria-label": `${count(total(buckets), "interruption")} in ${count(buckets.length, "interval")}; the numbers are in the table below`,
    },
    svg(
      "g",
      { class: "axis" },
      lines.map((value) => svg("line", { x1: left, x2: width - MARGIN.right, y1: y(value), y2: y(value) })),
      lines.map((value) =>
        svg("text", { x: left - GAP, y: y(value) + 4, "text-anchor": "end" }, value.toLocaleString("en")),
      ),
      buckets.map(
        (bucket, index) =>
          index % every === 0 &&
          svg("text", { x: within(x(index)), y: HEIGHT - 6, "text-anchor": "middle" }, label(bucket.start)),
      ),
    ),
    buckets.map((bucket, index) => stack(bucket, x(index) - wide / 2, wide, y, label)),
  );
}

function stack(bucket, left, wide, y, label) {
  let below = 0;
  const parts = INTERRUPTIONS.filter((name) => bucket[name] > 0).map((name) => {
    const from = below;
    below += bucket[name];
    return svg("rect", {
      class: `part ${cause(name).colour} ${cause(name).fill}`,
      x: left,
      width: wide,
      y: y(below),
      height: y(from) - y(below),
    });
  });
  const told = INTERRUPTIONS.map((name) => `${cause(name).label}: ${bucket[name]}`);
  return (
    parts.length > 0 && svg("g", { class: "stack" }, svg("title", {}, [label(bucket.start), ...told].join("\n")), parts)
  );
}

function legend() {
  const swatch = ({ colour, fill }) =>
    svg(
      "svg",
      { width: 18, height: 12, "aria-hidden": "true" },
      svg("rect", { class: `part ${colour} ${fill}`, width: 18, height: 12, rx: 2 }),
    );
  return h(
    "ul",
    { class: "legend" },
    INTERRUPTIONS.map(cause).map((each) => h("li", {}, swatch(each), each.label)),
  );
}

function numbers(buckets, hourly) {
  const row = (bucket) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h(
          "time",
          { datetime: bucket.start },
          hourly ? moment(bucket.start).slice(0, 16) : moment(bucket.start, "UTC").slice(0, 10),
        ),
      ),
      INTERRUPTIONS.map((name) => h("td", { class: "amount" }, bucket[name])),
    );
  return h(
    "details",
    {},
    h("summary", {}, "Show the numbers"),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Interruptions over time" },
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
            INTERRUPTIONS.map((name) => h("th", { scope: "col", class: "amount" }, cause(name).label)),
          ),
        ),
        h("tbody", {}, buckets.map(row)),
      ),
    ),
  );
}

/**
 * Interruptions by some value: a table with a bar in each row.
 * @param choose called with a value when a person picks its row; null where it cannot be filtered by
 */
export function breakdown(title, name, rows, choose) {
  const most = Math.max(1, ...rows.map((row) => row.interruptions));
  const body = h(
    "tbody",
    {},
    rows.slice(0, SHOWN).map((row) => share(name, row, most, choose)),
  );
  const rest = () => rows.slice(SHOWN).map((row) => share(name, row, most, choose));
  return h(
    "section",
    { class: "card", "aria-labelledby": `by-${name}` },
    h("h2", { id: `by-${name}` }, title),
    h(
      "table",
      { class: "breakdown", "aria-labelledby": `by-${name}` },
      h(
        "thead",
        { class: "visually-hidden" },
        h(
          "tr",
          {},
          ["Value", "Interruptions", "Hours lost"].map((text) => h("th", { scope: "col" }, text)),
        ),
      ),
      body,
    ),
    rows.length > SHOWN && more(rows.length - SHOWN, () => body.append(...rest())),
  );
}

function share(name, row, most, choose) {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, value(name, row.value, choose)),
    h(
      "td",
      {},
      h(
        "div",
        { class: "measure" },
        meter(row.interruptions / most),
        h("span", { class: "number" }, row.interruptions.toLocaleString("en")),
      ),
    ),
    h("td", { class: "amount muted" }, `${hours(row.lost_hours)} h lost`),
  );
}

function more(count, unfold) {
  const click = (event) => {
    unfold();
    event.currentTarget.remove();
  };
  return h("button", { type: "button", class: "link", click }, `Show ${count.toLocaleString("en")} more`);
}

function value(name, text, choose) {
  const shown = name === "cause" ? causeBadge(text) : named(known(text));
  return choose
    ? h("button", { type: "button", class: "link", title: "Filter by this", click: () => choose(text) }, shown)
    : shown;
}

function meter(share) {
  const bar = svg("rect", { class: "measured", width: Math.max(0.5, share * 100), height: 8, rx: 1 });
  return svg("svg", { class: "meter", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, bar);
}

/** Hours with as many digits as tell something. */
export function hours(number) {
  return number.toLocaleString("en", { maximumFractionDigits: number < 10 ? 2 : number < 1000 ? 1 : 0 });
}

function sum(bucket) {
  return INTERRUPTIONS.reduce((all, name) => all + bucket[name], 0);
}

function total(buckets) {
  return buckets.reduce((all, bucket) => all + sum(bucket), 0);
}

function niceStep(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return Math.max(
    1,
    [1, 2, 5, 10].map((each) => each * power).find((each) => most / each <= 4),
  );
}

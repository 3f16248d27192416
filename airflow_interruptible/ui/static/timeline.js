// SPDX-License-Identifier: Apache-2.0
// The attempts in time: a lane for each capacity, a bar for each attempt, at its end a sign of how it ended.
//
// Lane, pattern and label tell spot from on-demand. The drawing is one picture to a screen reader, for the table below it
// says everything that it says.

import { shape } from "./badges.js";
import { h, svg, textWidth } from "./dom.js";
import { clock, day, duration, moment, roughly, timeZone } from "./time.js";
import * as words from "./words.js";

const LANE = { label: 24, bar: 26, gap: 8 };
const STRIDE = LANE.label + LANE.bar + LANE.gap; // from the top of one lane to that of the next
const AXIS = 26;
const EDGE = 12; // room for the sign at the last end
const SIGN = 9;
const NUMBERED = 40; // narrower bars bear no number
const DETAILED = 60; // with more attempts than this, lines and marks between them tell nothing
const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
];

/**
 * Draw the attempts into a figure that is `width` pixels wide; null if none of them has a time.
 * @param reveal called with the number of an attempt whose bar or sign was clicked. A keyboard has the table below.
 */
export function timeline(attempts, width, reveal, now = Date.now()) {
  const spans = spansOf(attempts, now);
  if (!spans.length) return null;
  const lanes = lanesOf(spans);
  const from = Math.min(...spans.map((span) => span.start));
  const until = Math.max(...spans.map((span) => span.end), from + 1000);
  const x = (time) => EDGE + ((time - from) / (until - from)) * (width - 2 * EDGE);
  const y = (span) => lanes.indexOf(span.lane) * STRIDE + LANE.label;
  const bottom = lanes.length * STRIDE;
  const drawing = svg(
    "svg",
    {
      class: "timeline",
      width,
      height: bottom + AXIS,
      viewBox: `0 0 ${width} ${bottom + AXIS}`,
      role: "img",
      "aria-label": told(spans),
    },
    axis(from, until, x, bottom, width),
    lanes.map((lane, row) => laneLabel(lane, row, width)),
    spans.length <= DETAILED ? spans.slice(1).map((span, index) => connection(spans[index], span, x, y)) : [],
    spans.map((span) => bar(span, x, y, reveal)),
    signs(spans, x, y, reveal),
    spans.length <= DETAILED ? spans.flatMap((span) => marks(span, x, y)) : [],
  );
  return h("figure", {}, drawing, legend(spans));
}

function spansOf(attempts, now) {
  let last = null;
  const spans = [];
  for (const attempt of attempts) {
    const start = Date.parse(attempt.start ?? attempt.end ?? "") || last;
    if (!start) continue; // waits for its start
    const running = attempt.end === null && attempt.start !== null && !attempt.cause;
    const end = Math.max(start, Date.parse(attempt.end ?? "") || (running ? now : start));
    spans.push({ attempt, start, end, running, lane: words.capacity(attempt.capacity).kind });
    last = end;
  }
  return spans;
}

function lanesOf(spans) {
  const used = new Set(spans.map((span) => span.lane));
  return ["spot", "on-demand", "unknown"].filter(
    (lane) => used.has(lane) || (lane !== "unknown" && !used.has("unknown")),
  );
}

function told(spans) {
  const parts =
    spans.length > 12
      ? []
      : spans.map(
          ({ attempt }) =>
            `attempt ${attempt.attempt} ${words.capacity(attempt.capacity).label.toLowerCase()}: ${words.outcome(attempt).label.toLowerCase()}`,
        );
  return `Time line of ${words.count(spans.length, "attempt")}. ${parts.join("; ")}`;
}

function laneLabel(lane, row, width) {
  const top = row * STRIDE;
  const label = { spot: "Spot", "on-demand": "On demand", unknown: "Attempts" }[lane];
  return svg(
    "g",
    {},
    svg("text", { class: "lane-label", x: EDGE, y: top + 12 }, label),
    svg("rect", { class: "lane", x: 0, y: top + LANE.label, width, height: LANE.bar, rx: 4 }),
  );
}

function bar(span, x, y, reveal) {
  const { attempt, lane } = span;
  const left = x(span.start);
  const long = Math.max(3, x(span.end) - left);
  const middle = left + long / 2;
  const plate = 8 + 7 * String(attempt.attempt).length;
  return svg(
    "g",
    { class: "bar-link", click: () => reveal(attempt.attempt) },
    svg("title", {}, title(span)),
    svg("rect", {
      class: `bar ${lane}`,
      x: left,
      y: y(span),
      width: long,
      height: LANE.bar,
      rx: Math.min(4, long / 2),
    }),
    long >= NUMBERED &&
      svg(
        "g",
        { class: `bar-number ${lane}` },
        svg("rect", { x: middle - plate / 2, y: y(span) + 5, width: plate, height: LANE.bar - 10, rx: 3 }),
        svg("text", { x: middle, y: y(span) + LANE.bar / 2 + 4, "text-anchor": "middle" }, attempt.attempt),
      ),
  );
}

function title({ attempt, start, end, running }) {
  const { label } = words.outcome(attempt);
  return [
    `Attempt ${attempt.attempt}, ${words.capacity(attempt.capacity).label.toLowerCase()}: ${label}`,
    `${moment(start)}, ${running ? "for " : ""}${duration(end - start)}`,
    attempt.reason,
  ]
    .filter(Boolean)
    .join("\n");
}

function connection(from, to, x, y) {
  const [x1, y1, x2, y2] = [x(from.end), y(from) + LANE.bar / 2, x(to.start), y(to) + LANE.bar / 2];
  return svg("line", { class: "connection", x1, y1, x2, y2 });
}

/** A sign where each attempt ended; where they would cover each other, a line in its colour. */
function signs(spans, x, y, reveal) {
  const taken = {};
  return spans.map((span) => {
    const { colour, icon } = words.outcome(span.attempt);
    const at = x(span.end);
    const middle = y(span) + LANE.bar / 2;
    const crowded = at - (taken[span.lane] ?? -Infinity) < 2 * SIGN + 1;
    if (crowded && span !== spans.at(-1))
      return svg("line", { class: `tick ${colour}`, x1: at, x2: at, y1: y(span), y2: y(span) + LANE.bar });
    taken[span.lane] = at;
    const of = { transform: `translate(${at} ${middle})`, click: () => reveal(span.attempt.attempt) };
    return sign(colour, icon, { ...of, class: `sign ${colour} bar-link` }, svg("title", {}, title(span)));
  });
}

function sign(colour, icon, properties = {}, ...more) {
  return svg(
    "g",
    { class: `sign ${colour}`, ...properties },
    ...more,
    svg("circle", { r: SIGN }),
    svg("g", { transform: "translate(-5.5 -5.5) scale(0.69)" }, shape(icon)),
  );
}

/** What was heard and saved on the way. */
function marks(span, x, y) {
  const { notice, checkpoint } = span.attempt;
  const top = y(span) - 1;
  const point = (time) => Math.min(Math.max(Date.parse(time), span.start), span.end);
  return [
    notice?.at &&
      svg(
        "path",
        { class: "mark notice-mark", d: "M-5-7H5L0 0z", transform: `translate(${x(point(notice.at))} ${top})` },
        svg("title", {}, `Notice of ${notice.provider}, ${clock(notice.at)}`),
      ),
    checkpoint?.at &&
      svg(
        "path",
        {
          class: "mark checkpoint-mark",
          d: "M0-9 4.5-4.5 0 0-4.5-4.500z",
          transform: `translate(${x(point(checkpoint.at))} ${top})`,
        },
        svg("title", {}, `Checkpoint saved, ${clock(checkpoint.at)}`),
      ),
  ].filter(Boolean);
}

function axis(from, until, x, bottom, width) {
  const [sign, gap] = [textWidth("00:00:00"), 40];
  const room = Math.max(2, Math.floor(width / (sign + gap)));
  const seconds = (until - from) / 1000 / room;
  const step = (STEPS.find((each) => each >= seconds) ?? Math.ceil(seconds / 604800) * 604800) * 1000;
  const first = Math.ceil(from / step) * step;
  const times = Array.from({ length: room + 2 }, (_, index) => first + index * step).filter((time) => time <= until);
  const shown = times.length ? times : [from];
  return svg(
    "g",
    { class: "axis" },
    shown.map((time) => svg("line", { x1: x(time), x2: x(time), y1: 0, y2: bottom + 2 })),
    shown.map((time, index) =>
      svg(
        "text",
        { x: Math.min(Math.max(x(time), sign / 2), width - sign / 2), y: bottom + 17, "text-anchor": "middle" },
        step >= 86_400_000 || firstOfDay(time, shown[index - 1]) ? day(time, timeZone()) : clock(time),
      ),
    ),
  );
}

/** Whether a mark of the axis is the first on another day than the one before it: there the date tells more than the time. */
function firstOfDay(time, before) {
  return before !== undefined && day(time, timeZone()) !== day(before, timeZone());
}

function legend(spans) {
  const causes = [
    ...new Map(spans.map(({ attempt }) => [words.outcome(attempt).label, words.outcome(attempt)])).values(),
  ];
  const lanes = [...new Set(spans.map((span) => span.lane))].filter((lane) => lane !== "unknown");
  const entry = (drawing, label) =>
    h("li", {}, svg("svg", { width: 20, height: 20, viewBox: "-10 -10 20 20", "aria-hidden": "true" }, drawing), label);
  const some = (what) => spans.length <= DETAILED && spans.some(({ attempt }) => attempt[what]?.at);
  return h(
    "figcaption",
    {},
    h(
      "ul",
      { class: "legend" },
      lanes.map((lane) =>
        entry(
          svg("rect", { class: `bar ${lane}`, x: -9, y: -6, width: 18, height: 12, rx: 3 }),
          { spot: "Spot", "on-demand": "On demand" }[lane],
        ),
      ),
      causes.map(({ label, colour, icon }) => entry(sign(colour, icon), label)),
      some("notice") && entry(svg("path", { class: "mark notice-mark", d: "M-5-4H5L0 4z" }), "Notice"),
      some("checkpoint") && entry(svg("path", { class: "mark checkpoint-mark", d: "M0-5 5 0 0 5-5 0z" }), "Checkpoint"),
    ),
    h(
      "span",
      { class: "muted" },
      `${roughly(Math.max(...spans.map((s) => s.end)) - spans[0].start)} in all, times in ${timeZone()}`,
    ),
  );
}

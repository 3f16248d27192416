// SPDX-License-Identifier: Apache-2.0
// What the API's values are called on a page, and the colour and shape that stand for them.

/** Causes, in the order in which charts stack them. `fill` names a pattern of charts.js: colour alone tells nothing. */
const CAUSES = {
  spot_interruption: { label: "Spot interruption", icon: "bolt", colour: "orange", fill: "hatched" },
  infrastructure: { label: "Infrastructure", icon: "server", colour: "violet", fill: "solid" },
  no_capacity: { label: "No spot capacity", icon: "empty", colour: "blue", fill: "dotted" },
  application: { label: "Application error", icon: "cross", colour: "failed", fill: "solid" },
  user_action: { label: "Ended by a person", icon: "person", colour: "gray", fill: "solid" },
  unknown: { label: "Unknown", icon: "question", colour: "gray", fill: "solid" },
};

/** The causes that count as an interruption. */
export const INTERRUPTIONS = ["spot_interruption", "infrastructure", "no_capacity"];

const CAPACITIES = {
  spot: { label: "Spot", icon: "bolt", kind: "spot" },
  "on-demand": { label: "On demand", icon: "anchor", kind: "on-demand" },
};

const CHARGES = {
  system: { label: "System retries", note: "forgiven" },
  user: { label: "User retries", note: null },
  none: { label: "Nobody", note: null },
};

const STATES = {
  success: { icon: "check", colour: "success" },
  failed: { icon: "cross", colour: "failed" },
  upstream_failed: { icon: "cross", colour: "orange" },
  running: { icon: "play", colour: "running" },
  restarting: { icon: "play", colour: "violet" },
  up_for_retry: { icon: "clock", colour: "up_for_retry" },
};

export function cause(value) {
  return CAUSES[value] ?? { label: plain(value), icon: "question", colour: "gray", fill: "solid" };
}

export function capacity(value) {
  return CAPACITIES[value] ?? { label: "Not known", icon: "question", kind: "unknown" };
}

export function charge(value) {
  return CHARGES[value] ?? null;
}

/**
 * What the verdict rests on, null if nothing is left to say. Its line tells everything for those who have nothing else; on a
 * page, columns tell the attempt, the charge and the next place, so what is left is what stands between brackets.
 */
export function evidence({ attempt, reason, error }) {
  if (!reason) return null;
  const told = reason.startsWith(`attempt ${attempt} `) ? /^attempt \d+ [^(;]*\((.*?)\); /.exec(reason) : [null, reason];
  const text = told?.[1];
  return !text || (error && error.split(":")[0] === text) ? null : text; // the class of an error that is told in full
}

/** How an attempt ended, or what it does now. */
export function outcome(attempt) {
  if (attempt.cause) return cause(attempt.cause);
  if (attempt.state === null) return { label: "No state", icon: "clock", colour: "gray" };
  return { label: plain(attempt.state), ...(STATES[attempt.state] ?? { icon: "clock", colour: "gray" }) };
}

/** Labels of the places an attempt ran in, in the order in which they are told; what is not here follows. */
const PLACES = {
  node: "Node",
  host: "Host",
  pod: "Pod",
  instance_id: "Instance",
  instance_type: "Type",
  zone: "Zone",
  job: "Job",
  queue: "Queue",
};
const NOT_A_PLACE = new Set(["pid"]);

/** `[[label, text, key], ...]` of what is known about where an attempt ran. */
export function places(where) {
  const { instance_id: instance, instance_type: type, ...rest } = where ?? {};
  const machine =
    instance && type ? { instance_id: `${instance} (${type})` } : { instance_id: instance, instance_type: type };
  const named = new Set([rest.node, rest.pod]);
  const known = Object.entries({ ...rest, ...machine }).filter(
    ([key, value]) => (value ?? "") !== "" && !NOT_A_PLACE.has(key) && !(key === "host" && named.has(value)),
  );
  const order = Object.keys(PLACES);
  const rank = ([key]) => (order.includes(key) ? order.indexOf(key) : order.length);
  return known.sort((a, b) => rank(a) - rank(b)).map(([key, value]) => [PLACES[key] ?? plain(key), text(value), key]);
}

/** A zone or an instance type; the API calls "unknown" what nobody recorded. */
export function known(value) {
  return value === null || value === "unknown" ? "not known" : value;
}

/** "3 attempts", "1 attempt" */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

function plain(value) {
  const words = String(value).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function text(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// SPDX-License-Identifier: Apache-2.0
// Addresses in Airflow, relative to ours, so that they hold below any path that [api] base_url has.
//
// Airflow shows our pages in a sandboxed frame that may neither navigate the window around it nor open another. A link
// that leads out is therefore followed by the Airflow page itself, which is of our origin.

import { h } from "./dom.js";

const AIRFLOW = "../";

/** The tab "Attempts" of a task instance. */
export function attemptsTab({ dag_id, run_id, task_id, map_index }) {
  const mapped = map_index >= 0 ? `/mapped/${map_index}` : "";
  return `${AIRFLOW}dags/${encodeURIComponent(dag_id)}/runs/${encodeURIComponent(run_id)}/tasks/${encodeURIComponent(task_id)}${mapped}/plugin/interruptible-attempts`;
}

/** The log of one try of a task instance, in Airflow. */
export function logOf({ dag_id, run_id, task_id, map_index }, attempt) {
  const mapped = map_index >= 0 ? `/mapped/${map_index}` : "";
  return `${AIRFLOW}dags/${encodeURIComponent(dag_id)}/runs/${encodeURIComponent(run_id)}/tasks/${encodeURIComponent(task_id)}${mapped}?try_number=${attempt}`;
}

/** The tab "Attempts" of a Dag run, with one task chosen. */
export function runTab({ dag_id, run_id, task_id }) {
  return `${AIRFLOW}dags/${encodeURIComponent(dag_id)}/runs/${encodeURIComponent(run_id)}/plugin/interruptible-run?task=${encodeURIComponent(task_id)}`;
}

/** Airflow's log-in, which comes back to where the person is now. */
export function loginUrl() {
  const { href } = (surroundingDocument() ?? document).location;
  return `${AIRFLOW}api/v2/auth/login?next=${encodeURIComponent(href)}`;
}

/** A link out of the frame, in place of the Airflow page around it. */
export function inAirflow(href, ...children) {
  return h("a", { href, target: "_top", click: follow, auxclick: follow }, ...children);
}

/** A link to somebody else's page, in a window of its own. Anything but http(s) is plain text. */
export function elsewhere(href, ...children) {
  if (!/^https?:\/\//i.test(href)) return h("span", {}, ...children);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer", click: follow, auxclick: follow }, ...children);
}

/** Let the page around us follow a link, as if it stood there. Outside of a frame the browser does it. */
export function follow(event) {
  const around = surroundingDocument();
  if (!around || event.button === 2) return;
  event.preventDefault();
  const { href, target, rel } = event.currentTarget;
  const aside = event.button === 1 || event.ctrlKey || event.metaKey || event.shiftKey;
  const link = around.createElement("a");
  Object.assign(link, { href, rel, target: aside || target === "_blank" ? "_blank" : "_self" });
  around.body.append(link);
  link.click();
  link.remove();
}

export function surroundingDocument() {
  try {
    return globalThis.parent === globalThis ? null : globalThis.parent.document;
  } catch {
    return null; // embedded by somebody else, whose sandbox decides
  }
}

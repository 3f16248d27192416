// SPDX-License-Identifier: Apache-2.0
// How to begin, where nothing is interruptible yet.

import { h } from "./dom.js";

const EXAMPLE = `@dag(default_args={"interruptible": True, "retries": 2})  # every task of the Dag

@task.interruptible(retries=2)                              # or this one`;

/** @param more what else a page has to say of it */
export function guide(...more) {
  return h(
    "section",
    { class: "notice", "aria-labelledby": "explanation" },
    h("h2", { id: "explanation" }, "How to make it interruptible"),
    h(
      "p",
      {},
      "Airflow alone decides about its retries, and nobody records where an attempt ran or who took it away. To run a task on spot and have interruptions forgiven, say so in its Dag file:",
    ),
    h("pre", { tabindex: 0 }, h("code", {}, EXAMPLE)),
    h("p", {}, "Runs that start after that are shown here.", ...more.flatMap((text) => [" ", text])),
  );
}

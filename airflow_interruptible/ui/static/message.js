// SPDX-License-Identifier: Apache-2.0
// Tells a person why there is nothing to see, and what can be done.

import { h } from "./dom.js";
import { inAirflow, loginUrl } from "./links.js";

/** A refusal of http.js, or a fault of ours, in words. */
export function message(refusal) {
  const { title = "This page has a fault", message: text, status } = refusal;
  return h(
    "div",
    { class: "notice error", role: "alert" },
    h("h2", {}, title),
    h("p", {}, text, " ", status === 401 && inAirflow(loginUrl(), "Sign in")),
  );
}

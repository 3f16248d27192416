// SPDX-License-Identifier: Apache-2.0
// A button that copies a text: an id is selected badly by hand.

import { icon } from "./badges.js";
import { h } from "./dom.js";
import { surroundingDocument } from "./links.js";

export function copyButton(text, what) {
  const button = h(
    "button",
    { type: "button", class: "copy", title: `Copy ${what}`, "aria-label": `Copy ${what}`, click: () => copy(text, button) },
    icon("copy"),
  );
  return button;
}

async function copy(text, button) {
  const clipboard = (surroundingDocument() ?? document).defaultView.navigator.clipboard; // the frame may have none
  try {
    await clipboard.writeText(text);
  } catch {
    byHand(text); // no clipboard: Airflow is not served over https
  }
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
}

function byHand(text) {
  const field = h("textarea", { class: "visually-hidden", readonly: true });
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

// SPDX-License-Identifier: Apache-2.0
// How much room a card leaves for a drawing.

const FRAME = 2 * 17; // its padding and border, as in page.css

/** The width of a drawing in a card that is as wide as `element`, in pixels; zero or less while it is not shown. */
export function room(element) {
  return element.clientWidth - FRAME;
}

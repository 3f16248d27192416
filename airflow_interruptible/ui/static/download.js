// SPDX-License-Identifier: Apache-2.0
// A table as a file of comma-separated values. Airflow's frame may save nothing, so the page around it does.

import { surroundingDocument } from "./links.js";

/** @param rows arrays of values, the heads first */
export function save(name, rows) {
  const text = rows.map((row) => row.map(cell).join(",")).join("\r\n");
  const around = surroundingDocument() ?? document;
  const href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  const link = Object.assign(around.createElement("a"), { href, download: name });
  around.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** A value as a spreadsheet reads it; a name that came from outside is never a formula. */
function cell(value) {
  const text = String(value ?? "");
  const harmless = /^[=+\-@\t\r]/.test(text) && typeof value === "string" ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

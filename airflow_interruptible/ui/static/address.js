// SPDX-License-Identifier: Apache-2.0
// The address of a page of ours, and that of the Airflow page around it, which a person sees, keeps and sends.
//
// In the navigation, Airflow copies the address of its frame into its own whenever the frame has loaded; let it. In a tab of
// a Dag, a task or a run it does not, so there what a page is asked for is written beside what Airflow has in its own address.

/** What this page is asked for: by its own address, and in a tab by that of the page around it, where its own is silent. */
export function said() {
  const query = new URLSearchParams(globalThis.location.search);
  const around = inTab() ? surroundings() : null;
  for (const [name, value] of around ? new URLSearchParams(around.location.search) : []) {
    if (!query.has(name)) query.set(name, value);
  }
  return query;
}

/** This page's address with other values; those that are empty are left out. */
export function addressOf(values) {
  const address = new URL(globalThis.location.href);
  for (const [name, value] of Object.entries(values)) {
    if (value === "") address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  return address;
}

const GIVEN = new Set(["scope", "dag_id", "run_id", "task_id", "map_index"]); // by the place of the tab

/** Let the page around us tell the same as our own address. */
export function mirror() {
  const around = surroundings();
  if (!around) return;
  if (!inTab()) {
    globalThis.frameElement?.dispatchEvent(new Event("load"));
    return;
  }
  const own = [...new URLSearchParams(globalThis.location.search)].filter(([name]) => !isGiven(name));
  const address = new URL(around.location.href);
  address.search = new URLSearchParams(own).toString();
  if (address.href !== around.location.href) around.history.replaceState(around.history.state, "", address);
}

function isGiven(name) {
  const scope = new URLSearchParams(globalThis.location.search).get("scope");
  return GIVEN.has(name) && !(name === "task_id" && scope === "dag");
}

function inTab() {
  return new URLSearchParams(globalThis.location.search).has("scope");
}

function surroundings() {
  try {
    return globalThis.parent === globalThis || !globalThis.parent.document ? null : globalThis.parent;
  } catch {
    return null; // embedded by somebody else
  }
}

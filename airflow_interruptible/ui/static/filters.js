// SPDX-License-Identifier: Apache-2.0
// The filters of the page "Interruptions". What they say stands in the address of the page, so it can be kept and sent.

import { h, show } from "./dom.js";
import { fromField, timeZone, toField } from "./time.js";
import { capacity, cause, INTERRUPTIONS } from "./words.js";

const HOUR = 3_600_000;
const RANGES = [
  ["1h", "Last hour", HOUR],
  ["24h", "Last 24 hours", 24 * HOUR],
  ["7d", "Last 7 days", 7 * 24 * HOUR],
  ["30d", "Last 30 days", 30 * 24 * HOUR],
  ["90d", "Last 90 days", 90 * 24 * HOUR],
];
const DEFAULT_RANGE = "7d";
const CUSTOM = "custom";
const TEXTS = { dag_id: "Dag", task_id: "Task", zone: "Zone", instance_type: "Instance type" };
const NAMES = ["range", "start", "end", "dag_id", "task_id", "cause", "zone", "instance_type", "capacity"];
const SCOPES = { dag: ["dag_id"], task: ["dag_id", "task_id"] };
const TYPING = 400;

export class Filters {
  #form;
  #values;
  #scope;
  #changed;
  #suggestions = {};
  #typing = null;

  /** @param changed called after a person has changed a filter */
  constructor(form, changed) {
    const query = new URLSearchParams(globalThis.location.search);
    this.#form = form;
    this.#changed = changed;
    this.#values = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
    this.#values.range ||= this.#values.start || this.#values.end ? CUSTOM : DEFAULT_RANGE;
    this.#scope = query.get("scope") ?? "";
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", (event) => this.#take(event.target));
    form.addEventListener("input", (event) => this.#wait(event.target));
    this.render();
  }

  /** Show the fields anew, for example in another time zone. */
  render() {
    const { range } = this.#values;
    show(
      this.#form,
      select("range", "Time", [...RANGES, [CUSTOM, "From … to …"]], range),
      range === CUSTOM && [
        moment("start", `From (${timeZone()})`, this.#values.start),
        moment("end", `To (${timeZone()})`, this.#values.end),
      ],
      Object.entries(TEXTS).map(([name, label]) => this.offers(name) && this.#text(name, label)),
      select(
        "cause",
        "Cause",
        [["", "Any"], ...INTERRUPTIONS.map((value) => [value, cause(value).label])],
        this.#values.cause,
      ),
      select(
        "capacity",
        "Capacity",
        [["", "Any"], ...["spot", "on-demand"].map((value) => [value, capacity(value).label])],
        this.#values.capacity,
      ),
      h("button", { type: "button", class: "reset", click: () => this.#reset() }, "Reset"),
    );
  }

  /** What to ask the API for. */
  parameters(now = Date.now()) {
    const { range, start, end, ...others } = this.#values;
    if (range === CUSTOM) return { start, end, ...others };
    const length = RANGES.find(([name]) => name === range)?.[2] ?? RANGES[2][2];
    return { start: new Date(now - length).toISOString(), end: new Date(now).toISOString(), ...others };
  }

  /** Filter by one value, as a click on a bar does. */
  set(name, value) {
    this.#values[name] = value;
    this.#applied();
    this.render();
    this.#form.querySelector(`[name="${name}"]`)?.focus();
  }

  /** Whether a filter may be chosen here; on the tab of a Dag, the Dag is given. */
  offers(name) {
    return !this.#locked(name);
  }

  /** Suggest values that occur, `{ zone: ["eu-west-1a"] }`. */
  suggest(values) {
    for (const [name, list] of Object.entries(this.#suggestions)) {
      show(
        list,
        (values[name] ?? []).map((value) => h("option", { value })),
      );
    }
  }

  #locked(name) {
    return (SCOPES[this.#scope] ?? []).includes(name);
  }

  #text(name, label) {
    const list = h("datalist", { id: `known-${name}` });
    this.#suggestions[name] = list;
    return field(
      label,
      h("input", {
        id: name,
        name,
        value: this.#values[name],
        list: list.id,
        placeholder: "Any",
        autocomplete: "off",
        spellcheck: "false",
      }),
      list,
    );
  }

  #wait(target) {
    clearTimeout(this.#typing);
    if (target.name in TEXTS) this.#typing = setTimeout(() => this.#take(target), TYPING);
  }

  #take(target) {
    clearTimeout(this.#typing);
    const { name, value } = target;
    const taken = name === "start" || name === "end" ? (fromField(value) ?? "") : value.trim();
    if (!NAMES.includes(name) || this.#values[name] === taken) return;
    this.#values[name] = taken;
    if (name === "range") this.#rangeChosen(taken);
    this.#applied();
  }

  #rangeChosen(range) {
    const before = this.parameters();
    const length = RANGES.find(([name]) => name === DEFAULT_RANGE)[2];
    const custom = { start: new Date(Date.now() - length).toISOString(), end: before.end || new Date().toISOString() };
    Object.assign(this.#values, range === CUSTOM ? custom : { start: "", end: "" });
    this.render();
    this.#form.querySelector('[name="range"]').focus();
  }

  #reset() {
    for (const name of NAMES) if (!this.#locked(name)) this.#values[name] = "";
    this.#values.range = DEFAULT_RANGE;
    this.render();
    this.#form.querySelector(".reset").focus();
    this.#applied();
  }

  #applied() {
    const address = new URL(globalThis.location.href);
    for (const [name, value] of Object.entries(this.#values)) {
      const given = value !== "" && !(name === "range" && value === DEFAULT_RANGE);
      if (given) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
    }
    globalThis.history.replaceState(null, "", address);
    tellAirflow();
    this.#changed();
  }
}

/** Airflow copies the address of a page of ours into its own whenever its frame has loaded; let it, so that it can be sent. */
function tellAirflow() {
  try {
    globalThis.frameElement?.dispatchEvent(new Event("load"));
  } catch {
    // embedded by somebody else
  }
}

function select(name, label, options, chosen) {
  const choices = options.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
  return field(label, h("select", { id: name, name }, choices));
}

function moment(name, label, value) {
  return field(label, h("input", { id: name, name, type: "datetime-local", value: toField(value) }));
}

function field(label, control, ...more) {
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, more);
}

// SPDX-License-Identifier: Apache-2.0
// The filters of the page "Interruptions". What they say stands in the address of the page, so it can be kept and sent, and
// each change is one step that Back undoes.

import { addressOf, mirror, said } from "./address.js";
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
const PATTERN = "_pattern"; // a part of a name, where none that is known was chosen
const NAMES = [
  ...["range", "start", "end", "cause", "capacity"],
  ...Object.keys(TEXTS).flatMap((name) => [name, name + PATTERN]),
];
const SCOPES = new Map([
  ["dag", ["dag_id"]],
  ["task", ["dag_id", "task_id"]],
]);
const TYPING = 400;

export class Filters {
  #form;
  #values;
  #scope;
  #changed;
  #lists = {};
  #known = {};
  #typing = null;

  /** @param changed called after a person has changed a filter */
  constructor(form, changed) {
    this.#form = form;
    this.#changed = changed;
    this.#scope = new URLSearchParams(globalThis.location.search).get("scope") ?? "";
    this.#read(said());
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", (event) => this.#take(event.target));
    form.addEventListener("input", (event) => this.#wait(event.target));
    addEventListener("popstate", () => {
      this.#read(new URLSearchParams(globalThis.location.search));
      this.render();
      mirror();
      this.#changed();
    });
    this.render();
    mirror();
  }

  #read(query) {
    this.#values = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
    this.#values.range ||= this.#values.start || this.#values.end ? CUSTOM : DEFAULT_RANGE;
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

  /** Filter by several values at once. */
  setAll(values) {
    for (const [name, value] of Object.entries(values)) {
      this.#values[name] = value;
      if (name in TEXTS) this.#values[name + PATTERN] = "";
    }
    this.#applied();
    this.render();
  }

  /** Whether anything but the time is filtered by that a person has chosen here. */
  get narrowed() {
    return NAMES.some((name) => !["range", "start", "end"].includes(name) && this.#values[name] && !this.#locked(name));
  }

  /** Whether a person has said from when to when. */
  get custom() {
    return this.#values.range === CUSTOM;
  }

  /** What is filtered by, "" if nothing is. */
  get(name) {
    return this.#values[name];
  }

  /** Filter by one value, as a click on a row does; a second click on it takes the filter away. */
  set(name, value) {
    this.#values[name] = this.#values[name] === value ? "" : value;
    if (name in TEXTS) this.#values[name + PATTERN] = "";
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
    this.#known = values;
    for (const [name, list] of Object.entries(this.#lists)) {
      show(
        list,
        (values[name] ?? []).map((value) => h("option", { value })),
      );
    }
  }

  #locked(name) {
    return (SCOPES.get(this.#scope) ?? []).includes(name);
  }

  #text(name, label) {
    const list = h("datalist", { id: `known-${name}` });
    this.#lists[name] = list;
    return field(
      label,
      h("input", {
        id: name,
        name,
        value: this.#values[name] || this.#values[name + PATTERN],
        list: list.id,
        placeholder: "Any",
        title: "A part of the name is enough",
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
    const before = JSON.stringify(this.#values);
    const taken = name === "start" || name === "end" ? (fromField(value) ?? "") : value.trim();
    if (name in TEXTS) this.#name(name, taken);
    else if (NAMES.includes(name)) this.#values[name] = taken;
    if (JSON.stringify(this.#values) === before) return;
    if (name === "range") this.#rangeChosen(taken);
    this.#applied();
  }

  /** Take a name as it is if there is one like it, else as a part of names. */
  #name(name, text) {
    const whole = text === this.#values[name] || (this.#known[name] ?? []).includes(text);
    this.#values[name] = whole ? text : "";
    this.#values[name + PATTERN] = whole ? "" : text;
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
    const given = ([name, value]) => value !== "" && !(name === "range" && value === DEFAULT_RANGE);
    const kept = Object.fromEntries(Object.entries(this.#values).map((entry) => [entry[0], given(entry) ? entry[1] : ""]));
    globalThis.history.pushState(null, "", addressOf({ ...kept, offset: "" })); // of the list: other filters, another list
    mirror();
    this.#changed();
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

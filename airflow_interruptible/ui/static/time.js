// SPDX-License-Identifier: Apache-2.0
// Times in the time zone that the person chose in Airflow (localStorage "timezone"; the browser's until then), in its formats.

const WALL = {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
};
const MINUTE = 60_000;

let formatter = null;

/** The name of the chosen time zone. */
export function timeZone() {
  return formatters().zone;
}

/** Call back when the person chooses another one, in any tab of Airflow. */
export function onTimeZoneChange(callback) {
  addEventListener("storage", (event) => {
    if (event.key !== "timezone" && event.key !== null) return;
    formatter = null;
    callback();
  });
}

/** `2026-11-24 23:49:46`, as Airflow writes it. */
export function moment(time, zone) {
  const { year, month, day, hour, minute, second } = parts(time, zone);
  return `${year}-${month}-${day} ${hour}:${minute}:${second}`;
}

/** `23:49:46` */
export function clock(time) {
  return moment(time).slice(11);
}

/** `Nov 24`; days are counted as the API counts them, in UTC. */
export function day(time, zone = "UTC") {
  return new Intl.DateTimeFormat("en", { month: "short", day: "numeric", timeZone: zone }).format(new Date(time));
}

/** Milliseconds as `00:01:07`, short ones with milliseconds, long ones with days: Airflow's way. */
export function duration(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60].map(two);
  const rest = seconds < 60 && seconds !== whole ? (seconds % 60).toFixed(3).padStart(6, "0") : two(whole % 60);
  const days = Math.floor(whole / 86_400);
  return `${days ? `${days}d ` : ""}${hours}:${minutes}:${rest}`;
}

/** `1 h 5 min`, for sentences and axes. */
export function roughly(milliseconds) {
  const minutes = milliseconds / MINUTE;
  if (minutes < 1) return `${round(milliseconds / 1000)} s`;
  if (minutes < 60) return `${round(minutes)} min`;
  return minutes < 60 * 48 ? `${round(minutes / 60)} h` : `${round(minutes / 60 / 24)} d`;
}

/** The value of a `datetime-local` field for a moment, in the chosen time zone. */
export function toField(time) {
  return time ? moment(time).slice(0, 16).replace(" ", "T") : "";
}

/** The moment that a `datetime-local` field of the chosen time zone means, as ISO 8601 in UTC; null for an empty field. */
export function fromField(value) {
  if (!value) return null;
  const wall = Date.parse(`${value}Z`);
  if (Number.isNaN(wall)) return null;
  const guess = wall - offset(wall);
  return new Date(wall - offset(guess)).toISOString(); // asked twice: the offset may change between the two
}

function offset(time) {
  return Date.parse(`${moment(time).replace(" ", "T")}Z`) - Math.floor(time / 1000) * 1000;
}

function parts(time, zone) {
  const { format } = zone ? { format: new Intl.DateTimeFormat("en", { ...WALL, timeZone: zone }) } : formatters();
  return Object.fromEntries(format.formatToParts(new Date(time)).map(({ type, value }) => [type, value]));
}

function formatters() {
  formatter ??= chosen();
  return formatter;
}

function chosen() {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    const zone = JSON.parse(localStorage.getItem("timezone")) ?? own;
    return { zone, format: new Intl.DateTimeFormat("en", { ...WALL, timeZone: zone }) };
  } catch {
    return { zone: own, format: new Intl.DateTimeFormat("en", WALL) }; // no storage, or a zone this browser does not know
  }
}

function two(number) {
  return String(number).padStart(2, "0");
}

function round(number) {
  return number < 10 ? Math.round(number * 10) / 10 : Math.round(number);
}

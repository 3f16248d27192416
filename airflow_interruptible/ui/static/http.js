// SPDX-License-Identifier: Apache-2.0
// Asks the JSON API beside the page, with the session that Airflow's own pages have, and tells in words why it did not answer.

/** What went wrong, as a person should read it. */
export class Refusal extends Error {
  constructor(title, message, { status = 0 } = {}) {
    super(message);
    this.title = title;
    this.status = status;
  }

  /** Whether it may go away by itself. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Return the JSON of `api/<path>?<parameters>`; parameters that are null or empty are left out. */
export async function ask(path, parameters, signal) {
  const wanted = Object.entries(parameters).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  let answer;
  try {
    answer = await fetch(`api/${path}?${new URLSearchParams(wanted)}`, {
      credentials: "same-origin",
      headers: { accept: "application/json" },
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("Airflow does not answer", "The API server cannot be reached. This page will try again.");
  }
  if (!answer.ok) throw await refusalOf(answer);
  return answer.json();
}

async function refusalOf(answer) {
  const { status } = answer;
  const said = await detailOf(answer);
  if (status === 401)
    return new Refusal("You are signed out", "Your session has ended. Sign in again to go on.", { status });
  if (status === 403)
    return new Refusal("You may not see this", "It belongs to a Dag that you have no permission to read.", { status });
  if (status === 404)
    return new Refusal("There is nothing here", said ?? "Airflow knows no such task instance.", { status });
  if (status === 422 || status === 400)
    return new Refusal("This question cannot be answered", said ?? "One of the filters is not understood.", { status });
  return new Refusal(
    "Something went wrong in Airflow",
    said ?? `The API server answered with ${status}. Its log says why.`,
    {
      status,
    },
  );
}

async function detailOf(answer) {
  try {
    const { detail } = await answer.json();
    if (typeof detail === "string" && detail) return detail;
    if (Array.isArray(detail)) return detail.map(({ loc, msg }) => `${loc?.at(-1)}: ${msg}`).join("; ");
  } catch {
    // no JSON: a proxy answered
  }
  return null;
}

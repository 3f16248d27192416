# SPDX-License-Identifier: Apache-2.0
"""Asks a stack's REST API what its runs and tasks do, and does to them what a person can do in the UI.

It must not know which machine anything runs on. Every wait has an end and then tells what was seen instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from airflow_interruptible.testing.errors import LabError
from airflow_interruptible.testing.polling import wait_until
from airflow_interruptible.testing.records import NOT_MAPPED, DagRun, Try

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_API = "/api/v2"
_DATABASE_ERROR = "Database error"  # airflow.api_fastapi.common.exceptions; the statement and its error are hidden
_RUN_ENDED = ("success", "failed")


class AirflowClient:
    """Airflow's REST API, as an admin, on a stack that asks nobody for a password.

    :param base_url: where the api-server answers.
    :param timeout: seconds an answer, or a wait without a time of its own, may take. Only a failure takes that long, so
        the default is generous: a busy machine stalls for a minute at times.
    """

    def __init__(self, base_url: str, *, timeout: float = 240.0) -> None:
        self._timeout = timeout
        self._token = ""
        self._http = httpx.Client(base_url=base_url, trust_env=False, timeout=timeout)

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Ask for anything of the REST API (below ``/api/v2``) and return its JSON.

        Asks again when the database was locked, for then nothing was done; SQLite is at times.

        :raises LabError: when the answer is an error, with its text.
        """
        try:
            answer = wait_until(
                lambda: self._http.request(method, _API + path, headers=self._authorisation(), **options),
                lambda answer: not _found_database_locked(answer),
                what=f"{method} {path}",
                timeout=self._timeout,
                describe=lambda answer: answer.text,
            )
        except httpx.TransportError as silence:
            raise LabError(f"{method} {path}: the api-server does not answer ({silence}). Is it running?") from silence
        if answer.is_error:
            raise LabError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def import_errors(self) -> dict[str, str]:
        """Which Dag files do not import, and the traceback of each."""
        found = self.request("GET", "/importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in found}

    def wait_for_dag(self, dag_id: str, timeout: float | None = None) -> None:
        """Wait until a Dag is parsed and can be run.

        :raises LabError: at once when some Dag file does not import, with the traceback.
        """

        def versions() -> int:
            if errors := self.import_errors():
                raise LabError("\n".join(f"{name} does not import:\n{trace}" for name, trace in errors.items()))
            answer = self._http.get(f"{_API}/dags/{dag_id}/dagVersions", headers=self._authorisation())
            return int(answer.json()["total_entries"]) if answer.is_success else 0

        wait_until(
            versions,
            lambda count: count > 0,
            what=f"Dag {dag_id} to be parsed",
            timeout=timeout or self._timeout,
            describe=lambda _: "no such Dag, and no import error",
        )

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> DagRun:
        """Start a run, as the Trigger button does.

        :param conf: what the run gets as ``dag_run.conf``.
        :param run_id: None lets Airflow name it.
        """
        body = {"conf": dict(conf or {}), "logical_date": None, **({"dag_run_id": run_id} if run_id else {})}
        return DagRun.of(self.request("POST", f"/dags/{dag_id}/dagRuns", json=body))

    def dag_run(self, run: DagRun) -> DagRun:
        """The run as it is now."""
        return DagRun.of(self.request("GET", _path(run)))

    def task_instance(self, run: DagRun, task_id: str, map_index: int = NOT_MAPPED) -> Try:
        """The task instance as it is now, in its present try."""
        return Try.of(self.request("GET", _path(run, task_id, map_index)))

    def tries(self, run: DagRun, task_id: str, map_index: int = NOT_MAPPED) -> list[Try]:
        """Every try of a task instance, oldest first, each as it was when it ended; the last is the present one."""
        answer = self.request("GET", f"{_path(run, task_id, map_index)}/tries")
        return sorted(map(Try.of, answer["task_instances"]), key=lambda each: each.try_number)

    def wait_for_state(
        self,
        run: DagRun,
        task_id: str,
        states: str | Collection[str],
        *,
        map_index: int = NOT_MAPPED,
        try_number: int | None = None,
        timeout: float | None = None,
    ) -> Try:
        """Wait until a task instance is in one of some states, and return it.

        :param states: for example ``"running"`` or ``("success", "failed")``.
        :param try_number: the try that has to be in that state; None is any.
        """
        wanted = {states} if isinstance(states, str) else set(states)
        which = f"{run.dag_id}.{task_id}" + (f"[{map_index}]" if map_index != NOT_MAPPED else "")
        return wait_until(
            lambda: self.task_instance(run, task_id, map_index),
            lambda now: now.state in wanted and try_number in (None, now.try_number),
            what=f"{which} to be {' or '.join(sorted(wanted))}" + (f" in try {try_number}" if try_number else ""),
            timeout=timeout or self._timeout,
        )

    def wait_for_try(
        self,
        run: DagRun,
        task_id: str,
        try_number: int,
        *,
        map_index: int = NOT_MAPPED,
        timeout: float | None = None,
    ) -> Try:
        """Wait until a try has begun, and return it; a short one may be over, and followed, before anybody looks."""

        def begun(tries: list[Try]) -> list[Try]:
            return [each for each in tries if each.try_number == try_number and each.start_date]

        tries = wait_until(
            lambda: self.tries(run, task_id, map_index),
            lambda tries: bool(begun(tries)),
            what=f"{run.dag_id}.{task_id} to begin try {try_number}",
            timeout=timeout or self._timeout,
            describe=lambda tries: ", ".join(map(str, tries)),
        )
        return begun(tries)[0]

    def wait_for_run(
        self, run: DagRun, states: Collection[str] = _RUN_ENDED, *, timeout: float | None = None
    ) -> DagRun:
        """Wait until a run is in one of some states, by default until it has ended, and return it."""
        return wait_until(
            lambda: self.dag_run(run),
            lambda now: now.state in states,
            what=f"run {run.run_id} of {run.dag_id} to be {' or '.join(states)}",
            timeout=timeout or self._timeout,
            describe=lambda now: f"{now.state}; {self._tasks_in_words(now)}",
        )

    def clear(self, run: DagRun, *task_ids: str, map_index: int = NOT_MAPPED) -> None:
        """Clear tasks of a run, whatever their state, as a person does in the UI. The run goes on."""
        tasks = list(task_ids) if map_index == NOT_MAPPED else [(task_id, map_index) for task_id in task_ids]
        body = {"dry_run": False, "only_failed": False, "dag_run_id": run.run_id, "task_ids": tasks}
        self.request("POST", f"/dags/{run.dag_id}/clearTaskInstances", json=body)

    def mark(self, run: DagRun, task_id: str, state: str, map_index: int = NOT_MAPPED) -> None:
        """Mark a task ``success``, ``failed`` or ``skipped``, as a person does in the UI."""
        self.request("PATCH", _path(run, task_id, map_index), json={"new_state": state})

    def fail_run(self, run: DagRun) -> None:
        """Mark a run failed, which ends its tasks."""
        self.request("PATCH", _path(run), json={"state": "failed"})

    def logs(self, run: DagRun, task_id: str, try_number: int, map_index: int = NOT_MAPPED) -> str:
        """The log of one try, a line an event."""
        answer = self.request(
            "GET",
            f"{_path(run, task_id)}/logs/{try_number}",
            params={"full_content": True, "map_index": map_index},
        )
        return "\n".join(_line(entry) for entry in answer["content"])

    def _tasks_in_words(self, run: DagRun) -> str:
        answer = self.request("GET", f"{_path(run)}/taskInstances")
        return ", ".join(f"{task['task_id']} {Try.of(task)}" for task in answer["task_instances"])

    def _authorisation(self) -> dict[str, str]:
        if not self._token:
            self._token = self._http.get("/auth/token").raise_for_status().json()["access_token"]
        return {"Authorization": f"Bearer {self._token}"}


def _found_database_locked(answer: httpx.Response) -> bool:
    if answer.status_code != httpx.codes.INTERNAL_SERVER_ERROR:
        return False
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(detail, dict) and detail.get("reason") == _DATABASE_ERROR


def _path(run: DagRun, task_id: str | None = None, map_index: int = NOT_MAPPED) -> str:
    parts = ["", "dags", run.dag_id, "dagRuns", run.run_id]
    if task_id is not None:
        parts += ["taskInstances", task_id]
    if map_index != NOT_MAPPED:
        parts.append(str(map_index))
    return "/".join(parts)


def _line(entry: str | Mapping[str, Any]) -> str:
    return entry if isinstance(entry, str) else str(entry["event"])

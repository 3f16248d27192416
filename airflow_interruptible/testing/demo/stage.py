# SPDX-License-Identifier: Apache-2.0
"""The live part of the demo: watch a run, take machines away as the script says, tell what happens.

Decides the random moments and nothing else. It must not know what ought to come of it: see :mod:`.contract`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_interruptible.testing.demo.screen import Screen, Tone
from airflow_interruptible.testing.demo.script import GRACE, LATEST_BLOW, PLACES, Blow, Part
from airflow_interruptible.testing.errors import LabError
from airflow_interruptible.testing.polling import wait_until
from airflow_interruptible.testing.records import DagRun, Try

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable
    from datetime import datetime

    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.testing.lab import SpotLab

_LOOK_SECONDS = 0.4
_SILENCE_SECONDS = 4.0
_ENDED = ("success", "failed")

Attempt = tuple[str, int]
"""The name of a part, and the number of its attempt."""


class Stage:
    """A run of the demo's Dag.

    :param rng: draws the moments at which machines are taken away.
    """

    def __init__(self, lab: SpotLab, run: DagRun, script: Iterable[Part], screen: Screen, rng: random.Random) -> None:
        self._lab = lab
        self._run = run
        self._parts = {part.key: part for part in script}
        self._screen = screen
        self._rng = rng
        self._told: set[tuple[str, int, str]] = set()
        self._due: dict[Attempt, float] = {}
        self._lost: dict[Attempt, datetime] = {}

    def play(self, timeout: float) -> DagRun:
        """Take the machines away, tell what happens, and return the run when it has ended.

        :param timeout: seconds the run may take.
        :raises LabTimeoutError: it took longer.
        """
        return wait_until(
            self._look,
            lambda run: run.state in _ENDED,
            what="the run to end",
            timeout=timeout,
            interval=_LOOK_SECONDS,
            describe=lambda run: run.state,
        )

    def _look(self) -> DagRun:
        path = f"/dags/{self._run.dag_id}/dagRuns/{self._run.run_id}/taskInstances"
        rows = [Try.of(row) for row in self._lab.client.request("GET", path)["task_instances"]]
        for row in rows:
            part = self._parts.get((row.task_id, row.map_index))
            if part is not None:
                self._follow(part, row)
        if self._screen.silent_for > _SILENCE_SECONDS:
            self._tell_where_we_are(rows)
        return self._lab.client.dag_run(self._run)

    def _follow(self, part: Part, row: Try) -> None:
        news = self._is_news(part, row)
        if row.state == "running":
            if news:
                self._tell(part, row, self._start_in_words(part, row))
            if self._is_due(part, row):
                self._strike(part, row)
        elif news and row.state == "up_for_retry" and row.try_number == part.bug:
            self._tell(part, row, "fails by a bug of its own, which costs a user retry", Tone.LOST)
        elif news and row.state in _ENDED:
            self._refuse_if_missed(part, row)
            tone = Tone.GOOD if row.state == "success" else Tone.LOST
            self._tell(part, row, f"ends as {row.state}", tone)

    def _refuse_if_missed(self, part: Part, row: Try) -> None:
        if row.try_number in part.blows and (part.name, row.try_number) not in self._lost:
            raise LabError(
                f"{part.name} ended before its machine could be taken away: this host is too busy. Try again."
            )

    def _is_news(self, part: Part, row: Try) -> bool:
        event = (part.name, row.try_number, str(row.state))
        known = event in self._told
        self._told.add(event)
        return not known

    def _start_in_words(self, part: Part, row: Try) -> str:
        capacity = capacity_of(row)
        started = f"runs {capacity.phrase}, by {row.executor}" if capacity else "runs"
        lost = self._lost.get((part.name, row.try_number - 1))
        if lost is None or row.start_date is None:
            return started
        return f"{started}, {(row.start_date - lost).total_seconds():.1f} s after the last machine was taken away"

    def _is_due(self, part: Part, row: Try) -> bool:
        attempt = (part.name, row.try_number)
        if row.try_number not in part.blows or attempt in self._lost:
            return False
        if attempt not in self._due and self._epoch(row) is not None:
            self._due[attempt] = time.monotonic() + self._rng.uniform(0, LATEST_BLOW)
        return attempt in self._due and time.monotonic() >= self._due[attempt]

    def _strike(self, part: Part, row: Try) -> None:
        blow = part.blows[row.try_number]
        self._tell(part, row, f"loses its machine at {self._progress(row)}: {blow.value}", Tone.LOST)
        grace = GRACE if blow is Blow.WARNED else 0.0
        gone = self._lab.reclaim(self._run, part.task_id, grace=grace, map_index=part.map_index)
        self._lost[part.name, row.try_number] = gone.first_signal
        took = (gone.finished - gone.first_signal).total_seconds()
        if blow is Blow.UNWARNED:
            self._tell(part, row, "cannot report that, so Airflow has to miss its heartbeats", Tone.QUIET)
        elif gone.ended_in_time:
            self._tell(part, row, f"has stopped and reported by itself, {took:.1f} s after the signal", Tone.QUIET)
        else:
            self._tell(part, row, f"was still at work {took:.1f} s after the signal, and is killed", Tone.LOST)

    def _tell_where_we_are(self, rows: Iterable[Try]) -> None:
        running = [row for row in rows if row.state == "running"]
        parts = [(self._parts.get((row.task_id, row.map_index)), row) for row in running]
        words = [f"{part.name}: {self._where(part, row)}" for part, row in parts if part is not None]
        self._screen.event("", "; ".join(words) or "nothing runs; the scheduler has the next word", Tone.QUIET)

    def _where(self, part: Part, row: Try) -> str:
        gone = (part.name, row.try_number) in self._lost
        return "gone, and nobody has noticed" if gone else self._progress(row)

    def _progress(self, row: Try) -> str:
        return self._epoch(row) or "before the first epoch"

    def _epoch(self, row: Try) -> str | None:
        """Return what the task last printed about its training."""
        lines = self._lab.client.logs(self._run, row.task_id, row.try_number, row.map_index).splitlines()
        return next((line for line in reversed(lines) if line.startswith("epoch")), None)

    def _tell(self, part: Part, row: Try, text: str, tone: Tone = Tone.PLAIN) -> None:
        self._screen.event(part.name, f"attempt {row.try_number} {text}", tone)


def capacity_of(row: Try) -> CapacityType | None:
    """Return what a try runs on by the executor that Airflow's REST API shows, None if that stands for nothing."""
    return next((capacity for capacity, executor in PLACES.items() if executor == row.executor), None)

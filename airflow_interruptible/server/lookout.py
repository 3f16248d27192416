# SPDX-License-Identifier: Apache-2.0
"""``late_heartbeat``: an attempt that is not heard of is looked for where it runs, instead of waited for.

Airflow waits for ``[scheduler] task_instance_heartbeat_timeout``, five minutes. Nobody likes to lower that: it kills
living tasks when the API server is away. Here a thread of the scheduler's process asks for the process, pod, task, job
or machine of every attempt of ours whose heartbeat is late, and ends those that are proved to be gone. Without a proof
nothing happens, and Airflow's time-out stands. Each scheduler minds the attempts that it queued or adopted.

Bounded: at most 500 attempts in a look, one look every three seconds, each place ten seconds; and an attempt that was
looked for in vain is left alone for a quarter of its silence. It fails open.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.classification import Classification
from airflow_interruptible.metrics import TaskMetrics
from airflow_interruptible.remote import presence
from airflow_interruptible.server import overdue
from airflow_interruptible.server.patrol import Patrol
from airflow_interruptible.settings import get_settings
from airflow_interruptible.stats import IN_SERVERS, stats_of

if TYPE_CHECKING:
    from airflow_interruptible.remote.presence import Proof
    from airflow_interruptible.server.overdue import Overdue
    from airflow_interruptible.server.patrol import Round
    from airflow_interruptible.server.seam import Key

log = logging.getLogger(__name__)

_PAUSE = 3.0
"""Seconds between two looks."""

_PATIENCE = 0.25
"""For which part of its silence an attempt is left alone that was looked for in vain: what lasts, may be told later."""

_SWEPT = timedelta(minutes=5)
"""How long Airflow's sweep may take, with which this has nothing to do any more. By default it comes every 10 s."""

_WARNED = timedelta(hours=1)
"""How long nothing more is said of a place that does not answer."""

_INSTEAD = "Attempts that are lost wait for [scheduler] task_instance_heartbeat_timeout."

_KEPT = 10_000
"""Ends that are remembered until the scheduler has recorded them, which takes seconds."""


@dataclass
class Watch:
    """Looks for the attempts of one scheduler.

    :param job_id: the scheduler's job.
    :param late: how old a heartbeat has to be.
    """

    job_id: int
    late: timedelta
    _again: dict[Any, datetime] = field(default_factory=dict)
    """When an attempt that was looked for in vain is looked for again, by the id of its row."""
    _warned: dict[str, datetime] = field(default_factory=dict)
    """When it was last told that a place does not answer."""

    def look(self) -> None:
        """Look for every attempt that is late and whose turn it is, and end those that are gone.

        :raises Exception: whatever the database raises; the next look goes on from there.
        """
        now = datetime.now(timezone.utc)
        resting = {row_id for row_id, at in self._again.items() if at > now}
        attempts = {each.row_id: each for each in overdue.silent(self.job_id, self.late, resting)}
        proofs = presence.gone({row_id: each.life for row_id, each in attempts.items()}, self._trouble)
        for row_id, proof in proofs.items():
            _end(attempts[row_id], proof)
        rests = {
            row_id: _SWEPT if row_id in proofs else (now - each.heard) * _PATIENCE for row_id, each in attempts.items()
        }
        self._again = {row_id: self._again[row_id] for row_id in resting} | {
            row_id: now + rest for row_id, rest in rests.items()
        }

    def _trouble(self, place: str, why: str) -> None:
        """Tell that a place does not answer, once an hour: it is asked again and again while it is away."""
        now = datetime.now(timezone.utc)
        last = self._warned.get(place)
        if last is None or now - last >= _WARNED:
            self._warned[place] = now
            log.warning("%s cannot be asked for attempts whose heartbeat is late: %s. Nothing is ended for that. %s",
                        place, why.rstrip("."), _INSTEAD)  # fmt: skip


def _end(attempt: Overdue, proof: Proof) -> None:
    why = found.remember(attempt, proof)
    if overdue.expire(attempt):
        log.info("Try %d of %s is over: %s.", attempt.number, attempt.key, why.reason)
        dag_id, task_id, *_ = attempt.key
        silence = datetime.now(timezone.utc) - attempt.heard
        TaskMetrics(stats_of(IN_SERVERS), dag_id, task_id).gone(silence, why.cause, attempt.capacity)
    else:
        found.forget(attempt)


@dataclass
class Found:
    """What was found out about attempts that the scheduler is about to end."""

    _ends: dict[tuple[Key, int], tuple[Classification, datetime]] = field(default_factory=dict)
    """Each with the attempt's last heartbeat."""

    def remember(self, attempt: Overdue, proof: Proof) -> Classification:
        """Keep why an attempt is over, for the one who writes it down, and return it."""
        seconds = (datetime.now(timezone.utc) - attempt.heard).total_seconds()
        cause = proof.cause or Classification(Cause.UNKNOWN, None, "")
        told = f": {cause.reason}" if cause.cause is not Cause.UNKNOWN else ""
        reason = f"{proof.what} was gone {seconds:.0f} s after the last heartbeat{told}"
        why = replace(cause, reason=reason)
        self._ends[attempt.key, attempt.number] = why, attempt.heard
        while len(self._ends) > _KEPT:
            self._ends.pop(next(iter(self._ends)))
        return why

    def forget(self, attempt: Overdue) -> None:
        """The attempt was heard of after all."""
        self._ends.pop((attempt.key, attempt.number), None)

    def known(self, key: Key, number: int) -> Classification | None:
        """Return why that try is over, None if nothing was found. Its cause is unknown where only its end is proved."""
        end = self._ends.get((key, number))
        return None if end is None else end[0]

    def heard(self, key: Key, number: int) -> datetime | None:
        """Return the last heartbeat of a try that was found to be gone, which its row no longer tells."""
        end = self._ends.get((key, number))
        return None if end is None else end[1]


def _begin(job_id: int) -> Round | None:
    late = get_settings().late_heartbeat
    if not late:
        return None
    overdue.check()
    return Watch(job_id, late).look, _PAUSE


found = Found()
lookout = Patrol("late_heartbeat", _begin, _INSTEAD)

# SPDX-License-Identifier: Apache-2.0
"""The metrics of interruptible tasks: which there are, and what is counted.

An interruption is counted by whoever writes an attempt's charge into the ledger first: the retry policy in the
worker, the server when the worker was silent, or the next attempt when neither could. Late evidence that makes an
interruption of something else is counted when it is found; a count is never taken back. ``docs/metrics.md`` tells
people the names.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.history import replay

if TYPE_CHECKING:
    from airflow_interruptible.core.history import Attempt, History
    from airflow_interruptible.ledger import Ledger, Record
    from airflow_interruptible.stats import Stats

log = logging.getLogger(__name__)

INTERRUPTIONS = "interruptible.interruptions"
FORGIVEN = "interruptible.forgiven"
NO_CAPACITY = "interruptible.no_capacity"
FALLBACKS = "interruptible.fallbacks"
NOTICES = "interruptible.notices"
FALSE_ALARMS = "interruptible.false_alarms"
LOST = "interruptible.lost"
RECOVERY = "interruptible.recovery"
UNHEARD = "interruptible.unheard"

NO_CAUSE = "none"
"""The tag ``cause`` where nothing has ended yet: most stores of metrics have no empty tags."""


def uncounted(read: Ledger, history: History) -> list[Attempt]:
    """Return the attempts of ``history`` that count as interruptions, and did not as ``read`` was written."""
    traces = {number: record.trace for number, record in read.records.items()}
    before = replay(
        history.account.budget, history.interruptible, traces, base=history.base, before=history.next_number
    )
    known = {attempt.number for attempt in before.attempts if _interrupted(attempt) and _charged(read, attempt)}
    return [attempt for attempt in history.attempts if _interrupted(attempt) and attempt.number not in known]


def _interrupted(attempt: Attempt) -> bool:
    return attempt.cause.charge is Charge.SYSTEM


def _charged(read: Ledger, attempt: Attempt) -> bool:
    record = read.records.get(attempt.number)
    return record is not None and record.charge is not None


@dataclass(frozen=True)
class TaskMetrics:
    """The metrics of one task. Nothing here raises: a count that cannot be sent is no reason to fail."""

    stats: Stats
    dag_id: str
    task_id: str

    def interrupted(self, attempt: Attempt, record: Record | None) -> None:
        """Count an attempt that was interrupted.

        :param record: for how long it ran. What it had done by then is lost, but for its checkpoint.
        """
        self._count(INTERRUPTIONS, attempt.cause.value, attempt.capacity)
        if attempt.charge is Charge.SYSTEM:
            self._count(FORGIVEN, attempt.cause.value, attempt.capacity)
        if attempt.cause is Cause.NO_CAPACITY:
            self.no_capacity()
        if record is not None and record.started and record.ended:
            self._time(LOST, record.started, record.ended, attempt)

    def no_capacity(self) -> None:
        """Count that spot capacity could not be had, whether an attempt ended by it or was only moved."""
        self._count(NO_CAPACITY, Cause.NO_CAPACITY.value, CapacityType.SPOT)

    def began(self, history: History, records: Ledger, capacity: CapacityType, started: str) -> None:
        """Count the beginning of an attempt: whether it had to fall back, and how long the task stood still.

        :param history: the attempts before it.
        :param records: what is known of those.
        """
        last = history.attempts[-1] if history.attempts else None
        if history.interruptible and capacity is CapacityType.ON_DEMAND:
            self._count(FALLBACKS, last.cause.value if last else NO_CAUSE, capacity)
        ended = records.records[last.number].ended if last and last.number in records.records else None
        if last is not None and _interrupted(last) and ended:
            self._time(RECOVERY, ended, started, last)

    def noticed(self, provider: str, capacity: CapacityType) -> None:
        """Count an announcement."""
        self._count(NOTICES, NO_CAUSE, capacity, provider=provider)

    def false_alarm(self, provider: str, cause: Cause | None, capacity: CapacityType) -> None:
        """Count an announcement after which the attempt ended by itself. ``cause`` is None for a success."""
        self._count(FALSE_ALARMS, cause.value if cause else NO_CAUSE, capacity, provider=provider)

    def gone(self, silence: timedelta, cause: Cause, capacity: CapacityType) -> None:
        """Record for how long an attempt was not heard of before it was proved to be gone."""
        try:
            self.stats.timing(UNHEARD, max(timedelta(0), silence), tags=self._tags(cause.value, capacity))
        except Exception:
            log.debug("%s could not be recorded.", UNHEARD, exc_info=True)

    def _count(self, name: str, cause: str, capacity: CapacityType, **more: str) -> None:
        try:
            self.stats.incr(name, tags=self._tags(cause, capacity) | more)
        except Exception:
            log.debug("%s could not be counted.", name, exc_info=True)

    def _time(self, name: str, since: str, until: str, attempt: Attempt) -> None:
        try:
            # Two machines' clocks, perhaps: never below zero.
            duration = max(timedelta(0), datetime.fromisoformat(until) - datetime.fromisoformat(since))
            self.stats.timing(name, duration, tags=self._tags(attempt.cause.value, attempt.capacity))
        except Exception:
            log.debug("%s could not be recorded.", name, exc_info=True)

    def _tags(self, cause: str, capacity: CapacityType) -> dict[str, str]:
        return {"dag_id": self.dag_id, "task_id": self.task_id, "cause": cause, "capacity": capacity.value}

# SPDX-License-Identifier: Apache-2.0
"""One attempt as reports count it, read from the ledger and the row of its task instance.

A report reads a hundred thousand of these, so an entry is a tuple of plain values, and the ledger's document is read
without the objects of :mod:`airflow_interruptible.ledger`, which costs a third. What has no charge was not judged:
it still runs, succeeded, or was ended by a person.
"""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from sys import intern
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNKNOWN = "unknown"
"""The zone and the instance type of an attempt that did not say."""

INTERRUPTIONS = tuple(cause.value for cause in Cause if cause.charge is Charge.SYSTEM)
"""The causes that count as an interruption."""

_SPOT, _ON_DEMAND = CapacityType.SPOT.value, CapacityType.ON_DEMAND.value
_PAID = frozenset({Charge.SYSTEM.value, Charge.USER.value})
_PRESUMED = {
    (capacity.value, started): cause.value
    for capacity in CapacityType
    for started in (True, False)
    if (cause := Ending.of_silence(started=started).cause_on(capacity))
}


class Row(NamedTuple):
    """The ledger of a task instance, and what Airflow knows of it now.

    :param updated: when the ledger was last written, seconds since 1970, as all times here.
    :param state: of the task instance; None also if the row is gone.
    :param end: of its present try.
    """

    id: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    document: str
    updated: float
    state: str | None
    number: int | None
    end: float | None


class Entry(NamedTuple):
    """One attempt.

    :param row: the id of its ledger.
    :param cause: why it failed, None if it did not.
    :param start: None if it never started.
    :param end: infinite while it runs.
    :param noticed: whether it was told that its machine would go.
    :param fallback: whether it went on-demand after an attempt on spot.
    """

    row: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    attempt: int
    capacity: str | None
    cause: str | None
    charge: str | None
    zone: str
    instance_type: str
    start: float | None
    end: float
    noticed: bool
    fallback: bool

    @property
    def interrupted(self) -> bool:
        """Whether an interruption ended it."""
        return self.cause in INTERRUPTIONS

    def seconds(self, now: float) -> float:
        """Return how long it ran."""
        return 0.0 if self.start is None else max(0.0, min(self.end, now) - self.start)


def entries(row: Row) -> list[Entry]:
    """Return the attempts in a ledger, oldest first; none if it cannot be read."""
    try:
        document = json.loads(row.document)
        records = sorted((int(number), record) for number, record in document["attempts"].items())
        bases = frozenset(document["bases"])
        return list(_read(row, records, bases))
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _read(row: Row, records: list[tuple[int, Mapping[str, Any]]], bases: frozenset[int]) -> Iterator[Entry]:
    on_spot = False
    for place, (number, record) in enumerate(records):
        capacity = record.get("capacity")
        started = seconds(record.get("started"))
        where = record.get("where", {})
        on_spot = on_spot and number - 1 not in bases
        yield Entry(
            row=row.id,
            dag_id=row.dag_id,
            run_id=row.run_id,
            task_id=row.task_id,
            map_index=row.map_index,
            attempt=number,
            capacity=capacity and intern(capacity),
            cause=_cause(record, capacity, started is not None),
            charge=record.get("charge"),
            zone=intern(str(where.get("zone") or UNKNOWN)),
            instance_type=intern(str(where.get("instance_type") or UNKNOWN)),
            start=started,
            end=_end(row, record, number, records[place + 1][1] if place + 1 < len(records) else None),
            noticed="notice" in record,
            fallback=on_spot and capacity == _ON_DEMAND,
        )
        on_spot = on_spot or capacity == _SPOT


def _cause(record: Mapping[str, Any], capacity: str | None, started: bool) -> str | None:
    """Return why it failed: as it was written down, else as silence is judged once somebody paid for it."""
    cause = record.get("cause")
    if cause is not None:
        return intern(cause)
    if record.get("charge") in _PAID and capacity is not None:
        return _PRESUMED.get((capacity, started))
    return None


def _end(row: Row, record: Mapping[str, Any], number: int, following: Mapping[str, Any] | None) -> float:
    """Return when it ended. Where nobody wrote it down, the next attempt's start or Airflow's row tell."""
    if (ended := seconds(record.get("ended"))) is not None:
        return ended
    if following is not None and (started := seconds(following.get("started"))) is not None:
        return started
    if number == row.number and following is None:
        if row.end is not None:
            return row.end
        if row.state == "running":
            return math.inf
    return row.updated


def seconds(moment: object) -> float | None:
    """Return a time as seconds since 1970; one without an offset is in UTC."""
    if moment is None:
        return None
    parsed = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp()

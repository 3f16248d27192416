# SPDX-License-Identifier: Apache-2.0
"""One attempt as reports count it, read from the ledger and the row of its task instance.

A report reads a hundred thousand of these, so an entry is a tuple of plain values, and the ledger's document is read
without the objects of :mod:`airflow_interruptible.ledger`, which would cost twice the time. What has no charge was not
judged: it still runs, succeeded, or was ended by a person.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from operator import itemgetter
from sys import intern
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNKNOWN = "unknown"
"""The zone and the instance type of an attempt that did not say."""

INTERRUPTIONS = tuple(cause.value for cause in Cause if cause.charge is Charge.SYSTEM)
"""The causes that count as an interruption."""

FORGIVABLE = frozenset(INTERRUPTIONS)
_SPOT, _ON_DEMAND = CapacityType.SPOT.value, CapacityType.ON_DEMAND.value
_CAPACITIES: dict[object, str | None] = {None: None, **{each.value: each.value for each in CapacityType}}
_CAUSES: dict[object, str] = {each.value: each.value for each in Cause}
_CHARGES: dict[object, str | None] = {None: None, **{each.value: each.value for each in Charge}}
_FIRST, _LAST = (datetime(*day, tzinfo=timezone.utc).timestamp() for day in ((1, 1, 1), (9999, 12, 31)))
_OVER = frozenset({None, "success", "failed", "skipped", "upstream_failed", "removed", "up_for_retry"})
_PAID = frozenset({Charge.SYSTEM.value, Charge.USER.value})
_PRESUMED = {
    (capacity.value, started, told): cause.value
    for capacity in CapacityType
    for started in (True, False)
    for told in (True, False)
    if (cause := Ending.of_silence(capacity, started=started, told=told).cause_on(capacity))
}


class Row(NamedTuple):
    """The ledger of a task instance, and what Airflow knows of it now.

    :param updated: when the ledger was last written.
    :param state: of the task instance; None also if the row is gone.
    :param number: of its present try, as ``end``.
    """

    id: int
    updated: datetime
    state: str | None
    number: int | None
    end: datetime | None
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    document: str


class Entry(NamedTuple):
    """One attempt. Times are seconds since 1970.

    :param row: the id of its ledger.
    :param cause: why it failed, None if it did not.
    :param start: None if it never started.
    :param end: infinite while it runs.
    :param noticed: whether it was told that its machine would go.
    :param fallback: whether it went on-demand after an attempt on spot.
    :param away: for how many seconds it held no machine, deferred or rescheduled, before it last came back.
    :param left: when it left its machine and has not come back since; None if it did not.
    :param saved: when it last saved a checkpoint, None if it never did.
    :param recovered: how many seconds after its end the next attempt began, None if none did, or nobody knows its end.
    :param placed: whether anything sent it where it belongs; if not, ``capacity`` is what would have been.
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
    away: float = 0.0
    left: float | None = None
    saved: float | None = None
    recovered: float | None = None
    placed: bool = True

    @property
    def interrupted(self) -> bool:
        """Whether an interruption ended it."""
        return self.cause in FORGIVABLE

    def seconds(self, now: float) -> float:
        """Return how long it held a machine."""
        if self.start is None:
            return 0.0
        end = min(now, self.end)
        if self.left is not None and self.left < end:
            end = self.left
        return max(0.0, end - self.start - self.away)

    def lost(self, now: float) -> float:
        """Return how long it had held a machine since it last saved; all of it, if it never did."""
        held = self.seconds(now)
        if self.saved is None:
            return held
        return min(held, max(0.0, min(now, self.end) - self.saved))

    @property
    def on_machine(self) -> bool:
        """Whether it holds a machine now."""
        return self.start is not None and self.end == math.inf and self.left is None


def entries(row: Row) -> list[Entry]:
    """Return the attempts in a ledger, oldest first; none if it cannot be read."""
    try:
        document = from_json(row.document)
        records = [(int(number), record) for number, record in document["attempts"].items()]
        if len(records) > 1:
            records.sort(key=itemgetter(0))
        return _read(row, records, document["bases"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return []


def _read(row: Row, records: list[tuple[int, Mapping[str, Any]]], bases: Sequence[int]) -> list[Entry]:
    read, on_spot = [], False
    row_id, dag_id, task_id, run_id = row.id, intern(row.dag_id), intern(row.task_id), intern(row.run_id)
    map_index, last = row.map_index, len(records) - 1
    for place, (number, record) in enumerate(records):
        known = record.get
        capacity, started, where = _CAPACITIES[known("capacity")], known("started"), known("where") or {}
        ended = known("ended") or (records[place + 1][1].get("started") if place < last else None)
        on_spot = on_spot and number - 1 not in bases
        cause = _cause(record, capacity)
        entry = Entry(
            row_id,
            dag_id,
            run_id,
            task_id,
            map_index,
            number,
            capacity,
            cause,
            _CHARGES[known("charge")],
            intern(where.get("zone") or UNKNOWN),
            intern(where.get("instance_type") or UNKNOWN),
            _parsed(started) if started else None,
            _parsed(ended) if ended else _end(row, number if place == last else None, started, cause),
            "notice" in record,
            on_spot and capacity == _ON_DEMAND,
            max(0.0, float(known("away") or 0.0)),
            _parsed(left) if (left := known("left")) else None,
            _saved(known("checkpoint")),
            _recovered(record, records[place + 1][1]) if cause in FORGIVABLE and place < last else None,
            where.get("placed") is not False,
        )
        read.append(entry)
        on_spot = on_spot or capacity == _SPOT
    return read


def _recovered(record: Mapping[str, Any], following: Mapping[str, Any]) -> float | None:
    ended, started = record.get("ended"), following.get("started")
    if not ended or not started:
        return None
    return max(0.0, _parsed(started) - _parsed(ended))  # two machines' clocks, perhaps


def _saved(checkpoint: Mapping[str, Any] | None) -> float | None:
    """Return when a checkpoint was saved, None if none was, or nobody can tell when."""
    try:
        return _parsed(checkpoint["at"]) if checkpoint and checkpoint.get("at") else None
    except ValueError:
        return None


def _parsed(text: str) -> float:
    """Return a time as seconds since 1970.

    :raises ValueError: it is none, or none that could be told again in UTC.
    """
    seconds = datetime.fromisoformat(text).timestamp()
    if _FIRST <= seconds <= _LAST:
        return seconds
    raise ValueError(f"{text} is not within the years 1 to 9999 in UTC")


def _cause(record: Mapping[str, Any], capacity: str | None) -> str | None:
    """Return why it failed: as it was written down, else as silence is judged once somebody paid for it."""
    cause = record.get("cause")
    if cause is not None:
        return _CAUSES[cause]
    if record.get("charge") in _PAID and capacity is not None:
        return _PRESUMED.get((capacity, "started" in record, "told" in record))
    return None


def _end(row: Row, number: int | None, started: object, cause: str | None) -> float:
    """Return when an attempt ended of which neither it nor the next attempt tells.

    :param number: of the last attempt, about which Airflow's row may know; None for any other.
    :param started: None if it never did: it waits, and costs nothing.
    :param cause: why it failed, None if it did not: what has a cause has ended.
    """
    if number != row.number:
        return since_1970(row.updated)
    if row.state not in _OVER:  # its row may still tell of the end of the try before
        return since_1970(row.updated) if cause or not started else math.inf
    return since_1970(row.updated if row.end is None else row.end)


def since_1970(moment: datetime) -> float:
    """Return a time as seconds since 1970; one without an offset is in UTC."""
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)).timestamp()

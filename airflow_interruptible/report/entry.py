# SPDX-License-Identifier: Apache-2.0
"""One attempt as reports count it, from the ledger and the row of its task instance.

A report reads a hundred thousand of these, so an entry is a tuple of plain values. What has no charge was not judged:
it still runs, succeeded, or was ended by a person. Whoever may write a ledger may write any time into it, and these add
up: so no attempt begins before its run was created, nor ends after the ledger was last written.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import from_json

from airflow_interruptible.core import bounded
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import Ledger

if TYPE_CHECKING:
    from airflow_interruptible.ledger import Record

UNKNOWN = "unknown"
"""The zone and the instance type of an attempt that did not say."""

INTERRUPTIONS = tuple(cause.value for cause in Cause if cause.charge is Charge.SYSTEM)
"""The causes that count as an interruption."""

FORGIVABLE = frozenset(INTERRUPTIONS)
_SPOT, _ON_DEMAND = CapacityType.SPOT.value, CapacityType.ON_DEMAND.value
_OVER = frozenset({None, "success", "failed", "skipped", "upstream_failed", "removed", "up_for_retry"})
_PAID = frozenset({Charge.SYSTEM, Charge.USER})

_MOST_SHARED = 100_000
_shared: dict[str, str] = {}


class Row(NamedTuple):
    """The ledger of a task instance, and what Airflow knows of it now.

    :param updated: when the ledger was last written.
    :param state: of the task instance; None also if the row is gone.
    :param number: of its present try, as ``end``.
    :param created: when its run was created; None if that is not known.
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
    created: datetime | None = None


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
    :param heard: when it was last heard of: its last heartbeat if nobody reported its end, else that. None where it
        only is known when its end was noticed.
    :param recovered: how many seconds after that (after its end, if it is not known) the next attempt began, None if
        none did, or nobody knows its end.
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
    heard: float | None = None
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
        ledger = Ledger.from_json(from_json(row.document))
    except (LedgerError, ValueError):
        return []
    last_try = math.inf if row.number is None else row.number + 1
    return _read(row, ledger, [number for number in sorted(ledger.records) if number <= last_try])


def _read(row: Row, ledger: Ledger, numbers: list[int]) -> list[Entry]:
    read, on_spot, records = [], False, ledger.records
    same = (row.id, shared(row.dag_id), shared(row.run_id), shared(row.task_id), row.map_index)
    latest = since_1970(row.updated)
    earliest = -math.inf if row.created is None else min(since_1970(row.created), latest)

    def seconds(written: str | None) -> float | None:
        return None if written is None else min(max(bounded.since_1970(written), earliest), latest)

    for number, following in zip(numbers, [*numbers[1:], None], strict=False):
        record = records[number]
        ended, resumed = seconds(record.ended), None if following is None else seconds(records[following].started)
        on_spot = on_spot and number - 1 not in ledger.bases
        cause = _cause(record)
        end = resumed if ended is None else ended
        heard = _heard(record, ended, seconds(record.heard))
        since = ended if heard is None else heard
        stood = None if since is None or resumed is None else max(0.0, resumed - since)  # two machines' clocks, perhaps
        entry = Entry(
            *same,
            number,
            None if record.capacity is None else record.capacity.value,
            cause,
            None if record.charge is None else record.charge.value,
            _named(record, "zone"),
            _named(record, "instance_type"),
            seconds(record.started),
            _end(row, number, record, cause, last=following is None) if end is None else end,
            record.notice is not None,
            on_spot and record.capacity is CapacityType.ON_DEMAND,
            float(record.away),
            seconds(record.left),
            _saved(record),
            heard,
            stood if cause in FORGIVABLE else None,
            record.where.get("placed") is not False,
        )
        read.append(entry)
        on_spot = on_spot or record.capacity is CapacityType.SPOT
    return read


def _saved(record: Record) -> float | None:
    """Return when a checkpoint was saved, None if none was, or nobody can tell when."""
    at = None if record.checkpoint is None else record.checkpoint["at"]
    try:
        return bounded.since_1970(at) if at else None
    except ValueError:
        return None


def _heard(record: Record, ended: float | None, heartbeat: float | None) -> float | None:
    """Return when an attempt was last heard of; None if it never ran, or if only the server's judgement is dated."""
    if record.started is None or ended is None:
        return None
    if heartbeat is not None:
        return min(heartbeat, ended)
    return None if record.cause is None else ended


def _named(record: Record, what: str) -> str:
    name = record.where.get(what)
    return shared(name) if isinstance(name, str) and name else UNKNOWN


def shared(text: str) -> str:
    """Return the one copy of a text that many attempts hold: names repeat.

    Not :func:`sys.intern`, which never forgets from Python 3.12 on, and names in a ledger may be anybody's.
    """
    if len(_shared) > _MOST_SHARED:
        _shared.clear()
    return _shared.setdefault(text, text)


def _cause(record: Record) -> str | None:
    """Return why it failed: as it was written down, else as silence is judged once somebody paid for it."""
    if record.cause is not None:
        return record.cause.value
    if record.charge in _PAID and record.capacity is not None:
        return record.trace.ending(record.capacity)[0].value
    return None


def _end(row: Row, number: int, record: Record, cause: str | None, *, last: bool) -> float:
    """Return when an attempt ended of which neither it nor the next attempt tells.

    :param cause: why it failed, None if it did not: what has a cause has ended.
    :param last: whether it is the last attempt, about which Airflow's row may know.
    """
    if not last or number != row.number:
        return since_1970(row.updated)
    if row.state not in _OVER:  # its row may still tell of the end of the try before
        waits = record.started is None  # and costs nothing
        return since_1970(row.updated) if cause or waits else math.inf
    return since_1970(row.updated if row.end is None else row.end)


def since_1970(moment: datetime) -> float:
    """Return a time as seconds since 1970; one without an offset is in UTC."""
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)).timestamp()

# SPDX-License-Identifier: Apache-2.0
"""Which attempts a report is about."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from airflow_interruptible.report.entry import Entry

USUAL = timedelta(days=7)
"""How far back a report goes unless told otherwise."""

LONGEST = timedelta(days=366)

_JUST_NOW = 60.0
"""So many seconds ago is still now: a question takes its time to come, from a host whose clock may lag."""

_NAMES = ("dag_id", "task_id", "zone", "instance_type")
_PATTERNS = {f"{name}_pattern": name for name in _NAMES}
FIELDS = (*_NAMES, "capacity", "cause", *_PATTERNS)
"""What may be filtered by. A pattern is a part of a name, in any case."""


@dataclass(frozen=True)
class Filters:
    """What is asked for. An attempt belongs to the range if it ended in it; one that runs ends now.

    A cause chooses which interruptions are counted and listed, never which attempts: an attempt has none before it
    ends, so hours, money and denominators would be those of its failures alone.

    :param start: with an offset, as ``end``.
    :raises ValueError: the range is empty or longer than a year.
    """

    start: datetime
    end: datetime
    dag_id: str | None = None
    task_id: str | None = None
    cause: str | None = None
    zone: str | None = None
    instance_type: str | None = None
    capacity: str | None = None
    dag_id_pattern: str | None = None
    task_id_pattern: str | None = None
    zone_pattern: str | None = None
    instance_type_pattern: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not self.start < self.end:
            raise ValueError(f"The range must end after {self.start.isoformat()}, where it starts.")
        if self.end - self.start > LONGEST:
            raise ValueError(f"The range must not be longer than {LONGEST.days} days. Airflow keeps less by default.")

    def before(self) -> Filters:
        """Return the same question about the period before, which is as long and ends where this one starts.

        :raises OverflowError: it would start before the year 1.
        """
        return replace(self, start=self.start - (self.end - self.start), end=self.start)

    def chosen(self, entries: Iterable[Entry], now: float, readable: Container[str] | None) -> list[Entry]:
        """Return the attempts that are asked for, whatever their cause.

        :param readable: the Dags that may be read, None for all.
        """
        first, last = self.start.timestamp(), self.end.timestamp()
        if last >= now - _JUST_NOW:
            last = math.inf
        found = [entry for entry in entries if first <= entry.end <= last]
        if readable is not None:
            found = [entry for entry in found if entry.dag_id in readable]
        for name in (*_NAMES, "capacity"):
            wanted = getattr(self, name)
            if wanted is not None:
                found = [entry for entry in found if getattr(entry, name) == wanted]
        for pattern, name in _PATTERNS.items():
            part = getattr(self, pattern)
            if part is not None:
                fits = _fitting({getattr(entry, name) for entry in found}, part.casefold())
                found = [entry for entry in found if getattr(entry, name) in fits]
        return found


def _fitting(names: Iterable[str], part: str) -> frozenset[str]:
    return frozenset(name for name in names if part in name.casefold())


def time_range(start: datetime | None, end: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Return the range, the last week unless told otherwise. Times without an offset are in UTC.

    :raises ValueError: a time is before the year 1 or after 9999.
    """
    end = in_utc(end) if end else now
    if start is None and end < in_utc(datetime.min) + USUAL:
        raise ValueError(f"The range must start after the year 1. Say a later end than {end.isoformat()}.")
    return (in_utc(start) if start else end - USUAL), end


def in_utc(moment: datetime) -> datetime:
    """Return a time in UTC; one without an offset is.

    :raises ValueError: it would be before the year 1 or after 9999.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError(f"The time {moment.isoformat()} is not within the years 1 to 9999 in UTC.") from error

# SPDX-License-Identifier: Apache-2.0
"""How long tasks stood still after interruptions, and where that time went. No database, no clock.

Four moments part the time between two attempts. The ledger tells when the first was last heard of and when the second
began its work; Airflow's rows of the two tries tell when it knew of the end, scheduled the next try, and saw a worker
take that up. A moment that is not known, or not within the time that it is to part, leaves the parts beside it unknown.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_interruptible.report.entry import Entry

PARTED = 500
"""Of so many interruptions, the latest, it is told where the time went: their rows are read for each report."""

PARTS = ("noticing", "delay", "queue", "start")
"""Until Airflow knows of the end; until it schedules the next try; until a worker takes that up; until it works."""

_CLOCKS = 5.0
"""So many seconds the clocks of two machines may differ."""

_MOST = 0.95


class Try(NamedTuple):
    """Airflow's row of a try, in seconds since 1970; None is unknown."""

    scheduled: float | None
    start: float | None
    end: float | None


_NO_ROW = Try(None, None, None)

Tries = Mapping[tuple[int, int], Try]
"""By the id of the ledger and the number of the try."""


@dataclass(frozen=True)
class Stretch:
    """Some lengths of time, in seconds.

    :param count: how many.
    :param p95: 95 % of them are no longer.
    """

    count: int
    median: float
    p95: float


@dataclass(frozen=True)
class Parts:
    """Where the time went, None where nothing is known; see :data:`PARTS`. Medians do not add up to the median."""

    noticing: Stretch | None = None
    delay: Stretch | None = None
    queue: Stretch | None = None
    start: Stretch | None = None


@dataclass(frozen=True)
class Recovery(Stretch):
    """How long tasks stood still: from when an interrupted attempt was last heard of to the start of the next.

    :param count: the interruptions that a next attempt followed, and whose end is known.
    :param parts: of the latest :data:`PARTED` of them.
    """

    parts: Parts


def recovered(entries: Iterable[Entry], cause: str | None) -> list[Entry]:
    """Return the interruptions by ``cause``, None for all, that a next attempt followed."""
    return [entry for entry in entries if entry.recovered is not None and (cause is None or entry.cause == cause)]


def latest(entries: Iterable[Entry]) -> list[Entry]:
    """Return those of :func:`recovered` interruptions of which it is told where the time went."""
    return heapq.nlargest(PARTED, entries, key=lambda entry: entry.end)


def recovery(entries: Sequence[Entry], tries: Tries) -> Recovery | None:
    """Return what :func:`recovered` interruptions come to, None if there are none."""
    whole = _stretch([entry.recovered or 0.0 for entry in entries])
    if whole is None:
        return None
    found: dict[str, list[float]] = defaultdict(list)
    known = {row for row, _ in tries}
    for entry in latest(entry for entry in entries if entry.row in known):
        of, following = (tries.get((entry.row, entry.attempt + more), _NO_ROW) for more in (0, 1))
        for name, seconds in _parted(entry, of, following).items():
            found[name].append(seconds)
    return Recovery(whole.count, whole.median, whole.p95, Parts(**{name: _stretch(found[name]) for name in PARTS}))


def _parted(entry: Entry, of: Try, following: Try) -> dict[str, float]:
    first = entry.end if entry.heard is None else entry.heard
    last = first + (entry.recovered or 0.0)

    def within(moment: float | None) -> float | None:
        if moment is None or not first - _CLOCKS <= moment <= last + _CLOCKS:
            return None  # of another end than this, or of a try that came back from the triggerer
        return min(max(moment, first), last)

    moments = (entry.heard, within(of.end), within(following.scheduled), within(following.start), last)
    return {
        name: max(0.0, until - since)
        for name, (since, until) in zip(PARTS, pairwise(moments), strict=True)
        if since is not None and until is not None
    }


def _stretch(seconds: Sequence[float]) -> Stretch | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Stretch(len(ordered), median(ordered), ordered[min(len(ordered) - 1, int(_MOST * len(ordered)))])

# SPDX-License-Identifier: Apache-2.0
"""What many attempts come to: counts, hours, and who was hit. One pass, no database, no clock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.prices import DEFAULT, Hours, estimate
from airflow_interruptible.report.entry import INTERRUPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_interruptible.core.prices import Price
    from airflow_interruptible.report.entry import Entry
    from airflow_interruptible.report.filters import Filters

_SHOWN = 100
_BY_THE_HOUR = timedelta(days=2)
_DIMENSIONS = ("cause", "zone", "instance_type", "dag_id")
_FORGIVEN, _NO_CAPACITY = Charge.SYSTEM.value, Cause.NO_CAPACITY.value
_SPOT, _ON_DEMAND = CapacityType.SPOT.value, CapacityType.ON_DEMAND.value


@dataclass
class Totals:
    """The sums.

    :param interruptions: attempts that the platform ended, or for which it had no capacity.
    :param forgiven: those of them that no ``retries`` of an author paid for.
    :param on_demand_fallbacks: attempts on-demand after one on spot.
    :param false_alarms: attempts that were told of a reclaim and ended otherwise.
    :param lost_hours: how long the interrupted attempts had run, whether or not a checkpoint saved some of it.
    """

    attempts: int = 0
    interruptions: int = 0
    forgiven: int = 0
    no_capacity: int = 0
    on_demand_fallbacks: int = 0
    false_alarms: int = 0
    spot_hours: float = 0.0
    on_demand_hours: float = 0.0
    lost_hours: float = 0.0


@dataclass(frozen=True)
class Savings:
    """What spot has saved, and from which prices that was estimated; ``note`` says how."""

    amount: float
    currency: str
    spot_price: float | None
    on_demand_price: float | None
    note: str


@dataclass
class Share:
    """How much of the interruptions one value of a dimension has."""

    value: str
    interruptions: int = 0
    lost_hours: float = 0.0


@dataclass
class Report:
    """A report. ``over_time`` holds the start of each hour or day, and its interruptions by cause.

    :param complete: False: the older attempts have not been read yet.
    :param truncated: whether there were more ledgers than are kept in memory, and the oldest are missing.
    """

    start: datetime
    end: datetime
    dag_id: str | None
    task_id: str | None
    totals: Totals
    savings: Savings | None
    over_time: list[dict[str, Any]]
    by_cause: list[Share]
    by_zone: list[Share]
    by_instance_type: list[Share]
    by_dag: list[Share]
    by_task: list[Share]
    complete: bool = True
    truncated: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the report as the command line prints it; times as ISO 8601."""
        document = asdict(self)
        document["start"], document["end"] = self.start.isoformat(), self.end.isoformat()
        for bucket in document["over_time"]:
            bucket["start"] = bucket["start"].isoformat()
        return document


_Sum = dict[Any, list[float]]
"""Interruptions and hours by value."""


@dataclass
class _Sums:
    """What is added up in the one pass. A hundred thousand attempts pass here, so each costs few steps."""

    totals: Totals = field(default_factory=Totals)
    spot: _Sum = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))
    buckets: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    shares: dict[str, _Sum] = field(
        default_factory=lambda: {name: defaultdict(lambda: [0, 0.0]) for name in (*_DIMENSIONS, "task")}
    )

    def add(self, entries: Iterable[Entry], now: float, width: float) -> None:
        """Add attempts."""
        totals = self.totals
        for entry in entries:
            hours = entry.seconds(now) / 3600
            totals.attempts += 1
            totals.on_demand_fallbacks += entry.fallback
            interrupted = entry.interrupted
            if entry.capacity == _SPOT:
                of_type = self.spot[entry.instance_type]
                of_type[0] += hours
                if interrupted:
                    of_type[1] += hours
            elif entry.capacity == _ON_DEMAND:
                totals.on_demand_hours += hours
            if interrupted:
                self._interrupted(entry, hours, width)
            elif entry.noticed and entry.end <= now:
                totals.false_alarms += 1
        totals.spot_hours = sum(hours for hours, _ in self.spot.values())

    def _interrupted(self, entry: Entry, hours: float, width: float) -> None:
        cause = entry.cause or ""
        self.totals.interruptions += 1
        self.totals.forgiven += entry.charge == _FORGIVEN
        self.totals.no_capacity += cause == _NO_CAPACITY
        self.totals.lost_hours += hours
        self.buckets[int(entry.end // width), cause] += 1
        for name in _DIMENSIONS:
            of_value = self.shares[name][getattr(entry, name)]
            of_value[0] += 1
            of_value[1] += hours
        of_task = self.shares["task"][entry.dag_id, entry.task_id]
        of_task[0] += 1
        of_task[1] += hours

    def by(self, dimension: str) -> list[Share]:
        """Return the shares of a dimension, the most interrupted first, and no more than a person reads."""
        found = [
            Share(value if isinstance(value, str) else ".".join(value), int(count), hours)
            for value, (count, hours) in self.shares[dimension].items()
        ]
        return sorted(found, key=lambda share: (-share.interruptions, -share.lost_hours, share.value))[:_SHOWN]


def report(
    entries: Iterable[Entry], filters: Filters, now: float, prices: Mapping[str, Price], currency: str
) -> Report:
    """Add up the attempts that ``filters`` has chosen."""
    width = timedelta(hours=1) if filters.end - filters.start <= _BY_THE_HOUR else timedelta(days=1)
    sums = _Sums()
    sums.add(entries, now, width.total_seconds())
    return Report(
        start=filters.start,
        end=filters.end,
        dag_id=filters.dag_id,
        task_id=filters.task_id,
        totals=sums.totals,
        savings=_savings(sums, prices, currency),
        over_time=_over_time(sums, filters, width.total_seconds()),
        by_cause=sums.by("cause"),
        by_zone=sums.by("zone"),
        by_instance_type=sums.by("instance_type"),
        by_dag=sums.by("dag_id"),
        by_task=sums.by("task"),
    )


def _over_time(sums: _Sums, filters: Filters, width: float) -> list[dict[str, Any]]:
    first, last = (int(moment.timestamp() // width) for moment in (filters.start, filters.end))
    return [
        {
            "start": datetime.fromtimestamp(number * width, timezone.utc),
            **{cause: sums.buckets.get((number, cause), 0) for cause in INTERRUPTIONS},
        }
        for number in range(first, last + 1)
    ]


def _savings(sums: _Sums, prices: Mapping[str, Price], currency: str) -> Savings | None:
    if not prices:
        return None
    totals = sums.totals
    lost = sum(lost for _, lost in sums.spot.values())
    found = estimate(prices, {kind: Hours(spot, lost) for kind, (spot, lost) in sums.spot.items()})
    general = prices.get(DEFAULT)
    note = (
        f"An estimate: the {totals.spot_hours:.1f} hours on spot at the spot prices of the setting [interruptible] "
        f"prices, against those of them that no interruption threw away ({totals.spot_hours - lost:.1f} hours) at "
        "its on-demand prices, one machine to an attempt."
    )
    if found.unpriced:
        note += f" {found.unpriced:.1f} hours are left out: their instance types have no price."
    of_spot, of_demand = (general.spot, general.on_demand) if general is not None else (None, None)
    return Savings(found.amount, currency, of_spot, of_demand, note)

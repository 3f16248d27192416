# SPDX-License-Identifier: Apache-2.0
"""A report: what the attempts of a range of time come to, who was hit, and how it was before. No database, no clock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from math import inf
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.prices import DEFAULT, estimate
from airflow_interruptible.report import sums as summing
from airflow_interruptible.report.entry import INTERRUPTIONS
from airflow_interruptible.report.recovery import recovered, recovery
from airflow_interruptible.report.sums import Share, Totals, added, totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_interruptible.core.prices import Price
    from airflow_interruptible.report.entry import Entry
    from airflow_interruptible.report.filters import Filters
    from airflow_interruptible.report.recovery import Recovery, Tries
    from airflow_interruptible.report.sums import Group, InTime, Slot, Sum, Sums

_SHOWN = 100
_BY_THE_HOUR = timedelta(days=2)


@dataclass(frozen=True)
class Savings:
    """What spot has saved, and from which prices that was estimated; ``note`` says how."""

    amount: float
    currency: str
    spot_price: float | None
    on_demand_price: float | None
    note: str


@dataclass
class Report:
    """A report. ``over_time`` holds the start of each hour or day, its attempts, hours and interruptions by cause.

    :param on_spot_now: attempts that hold a spot machine now.
    :param before: the totals of the period before, as long as this one; None if not all of it is known any more.
    :param known_since: before this nothing is kept, so nothing is known.
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
    on_spot_now: int = 0
    recovery: Recovery | None = None
    before: Totals | None = None
    known_since: datetime | None = None
    complete: bool = True
    truncated: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the report as the command line prints it; times as ISO 8601."""
        document = asdict(self)
        for name in ("start", "end", "known_since"):
            document[name] = document[name] and document[name].isoformat()
        for bucket in document["over_time"]:
            bucket["start"] = bucket["start"].isoformat()
        for name in _BY:
            for share, of in zip(document[name], getattr(self, name), strict=True):
                share |= {"per_attempt": of.per_attempt, "per_spot_hour": of.per_spot_hour}
        return document


_BY: Mapping[str, Callable[[Group], str]] = {
    "by_zone": lambda group: group.zone,
    "by_instance_type": lambda group: group.instance_type,
    "by_dag": lambda group: group.dag_id,
    "by_task": lambda group: f"{group.dag_id}.{group.task_id}",
}


def report(
    entries: Sequence[Entry],
    filters: Filters,
    now: float,
    prices: Mapping[str, Price],
    currency: str,
    *,
    before: Iterable[Entry] | None = None,
    known_since: datetime | None = None,
    tries: Tries | None = None,
) -> Report:
    """Add up the attempts that ``filters`` has chosen.

    :param before: those of the period before, None if they are not known.
    :param known_since: see :class:`Report`.
    :param tries: Airflow's rows of the tries of :func:`.recovery.latest`, as far as there are any.
    """
    width = timedelta(hours=1) if filters.end - filters.start <= _BY_THE_HOUR else timedelta(days=1)
    sums, slots = added(entries, now, width.total_seconds(), filters.cause)
    earlier = None if before is None else totals(added(before, now, width.total_seconds(), filters.cause)[0])
    by = {name: _most(summing.shares(sums, value, prices)) for name, value in _BY.items()}
    return Report(
        start=filters.start,
        end=filters.end,
        dag_id=filters.dag_id,
        task_id=filters.task_id,
        totals=totals(sums),
        savings=_savings(sums, prices, currency),
        over_time=_over_time(slots, filters, width.total_seconds(), prices, known_since),
        by_cause=_most(summing.causes(sums)),
        by_zone=by["by_zone"],
        by_instance_type=by["by_instance_type"],
        by_dag=by["by_dag"],
        by_task=by["by_task"],
        on_spot_now=sum(
            entry.end == inf and entry.on_machine and entry.capacity == summing.SPOT and entry.placed
            for entry in entries
        ),
        recovery=recovery(recovered(entries, filters.cause), tries or {}),
        before=earlier,
        known_since=known_since,
    )


def _most(shares: Mapping[str, Share]) -> list[Share]:
    """Return the most interrupted first, no more than a person reads; what was left in peace counts, too."""
    return sorted(
        shares.values(), key=lambda share: (-share.interruptions, -share.lost_hours, -share.spot_hours, share.value)
    )[:_SHOWN]


def _over_time(
    slots: InTime, filters: Filters, width: float, prices: Mapping[str, Price], known_since: datetime | None
) -> list[dict[str, Any]]:
    start = filters.start if known_since is None else max(filters.start, min(known_since, filters.end))
    first, last = (int(moment.timestamp() // width) for moment in (start, filters.end))
    by_number: dict[int, dict[Slot, Sum]] = defaultdict(dict)
    for slot, of in slots.items():
        by_number[slot.number][slot] = of
    return [_bucket(number * width, by_number.get(number, {}), prices) for number in range(first, last + 1)]


def _bucket(start: float, slots: Mapping[Slot, Sum], prices: Mapping[str, Price]) -> dict[str, Any]:
    counts = dict.fromkeys(INTERRUPTIONS, 0)
    for of in slots.values():
        for cause, (count, _) in of.counted.items():
            counts[cause] += int(count)
    of_all = totals(slots)
    return {
        "start": datetime.fromtimestamp(start, timezone.utc),
        **counts,
        "attempts": of_all.attempts,
        "spot_hours": of_all.spot_hours,
        "on_demand_hours": of_all.on_demand_hours,
        "lost_hours": of_all.lost_hours,
        "saved": estimate(prices, summing.spot_hours(slots)).amount if prices else None,
    }


def _savings(sums: Sums, prices: Mapping[str, Price], currency: str) -> Savings | None:
    if not prices:
        return None
    hours = summing.spot_hours(sums)
    found = estimate(prices, hours)
    spot, lost = sum(each.spot for each in hours.values()), sum(each.lost for each in hours.values())
    general = prices.get(DEFAULT)
    note = (
        f"An estimate: the {spot:,.1f} hours on spot at the spot prices of the setting [interruptible] prices, against "
        f"those of them that no interruption threw away ({spot - lost:,.1f} hours; what a checkpoint had saved was not "
        "thrown away) at its on-demand prices, one machine to an attempt."
    )
    if unplaced := totals(sums).unplaced_hours:
        note += f" {unplaced:,.1f} hours saved nothing: compute is none, so nothing was moved."
    if found.unpriced:
        note += f" {found.unpriced:,.1f} hours are left out: their instance types have no price."
    of_spot, of_demand = (general.spot, general.on_demand) if general is not None else (None, None)
    return Savings(found.amount, currency, of_spot, of_demand, note)

# SPDX-License-Identifier: Apache-2.0
"""Attempts added up in one pass, by everything that is asked for together: who, where, on what, and when.

A hundred thousand attempts pass here, so each costs few steps. A filter by cause chooses which interruptions are
counted; how many attempts there were, how long they held machines, and what they lost is the same whatever it says.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.prices import Hours, estimate
from airflow_interruptible.report.entry import FORGIVABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_interruptible.core.prices import Price
    from airflow_interruptible.report.entry import Entry

_FORGIVEN, _NO_CAPACITY = Charge.SYSTEM.value, Cause.NO_CAPACITY.value
SPOT, _ON_DEMAND = CapacityType.SPOT.value, CapacityType.ON_DEMAND.value
_UNPLACED = "unplaced"
"""Stands for the capacity of attempts that nothing sent anywhere, as ``compute`` is none: no spot, nothing saved."""


class Group(NamedTuple):
    """What attempts that are added up have in common: whose they are, and on what they ran."""

    dag_id: str
    task_id: str
    zone: str
    instance_type: str
    capacity: str | None


class Slot(NamedTuple):
    """The same, in time: ``number`` is that of the hour or the day in which they ended."""

    number: int
    instance_type: str
    capacity: str | None


@dataclass(slots=True)
class Sum:
    """What some attempts come to.

    :param lost: seconds that interrupted attempts had run without saving them.
    :param interruptions: how many of those that are asked for, and ``lost_counted`` the seconds that they lost.
    :param counted: the same by cause.
    """

    attempts: int = 0
    seconds: float = 0.0
    lost: float = 0.0
    forgiven: int = 0
    fallbacks: int = 0
    false_alarms: int = 0
    interruptions: int = 0
    lost_counted: float = 0.0
    counted: dict[str, list[float]] = field(default_factory=dict)

    def count(self, entry: Entry, lost: float) -> None:
        """Count an interruption that is asked for."""
        self.forgiven += entry.charge == _FORGIVEN
        self.interruptions += 1
        self.lost_counted += lost
        of_cause = self.counted.setdefault(entry.cause or "", [0, 0.0])
        of_cause[0] += 1
        of_cause[1] += lost


Sums = dict[Group, Sum]
InTime = dict[Slot, Sum]


def added(entries: Iterable[Entry], now: float, width: float, cause: str | None = None) -> tuple[Sums, InTime]:
    """Add up attempts.

    :param width: of a slot, in seconds; what runs belongs to that of ``now``.
    :param cause: the only one whose interruptions are counted, None for all.
    """
    groups: dict[tuple[Any, ...], Sum] = defaultdict(Sum)  # a tuple made by hand costs a third of a Group
    slots: dict[tuple[Any, ...], Sum] = defaultdict(Sum)
    for entry in entries:
        # Unpacked, and its seconds worked out here as Entry.seconds does: names and calls would cost twice the rest.
        _, dag, _, task, _, _, capacity, ended_by, _, zone, kind, start, end, noticed, fallback, away, left, *rest = (
            entry
        )
        if not rest[-1]:
            capacity = _UNPLACED
        over = end <= now
        stop = end if over else now
        held = 0.0 if start is None else (stop if left is None or left > stop else left) - start - away
        group, slot = groups[dag, task, zone, kind, capacity], slots[stop // width, kind, capacity]
        group.attempts += 1
        slot.attempts += 1
        if held > 0.0:
            group.seconds += held
            slot.seconds += held
        if fallback:
            group.fallbacks += 1
        if ended_by in FORGIVABLE:
            lost = entry.lost(now)
            group.lost += lost
            slot.lost += lost
            if cause is None or ended_by == cause:
                group.count(entry, lost)
                slot.count(entry, lost)
        elif noticed and over:
            group.false_alarms += 1
    return (
        {Group._make(key): of for key, of in groups.items()},
        {Slot(int(number), kind, capacity): of for (number, kind, capacity), of in slots.items()},
    )


@dataclass
class Totals:
    """The sums.

    :param interruptions: attempts that the platform ended, or for which it had no capacity.
    :param forgiven: those of them that no ``retries`` of an author paid for.
    :param on_demand_fallbacks: attempts on-demand after one on spot.
    :param false_alarms: attempts that were told of a reclaim and ended otherwise.
    :param spot_hours: on machines; what waits in the triggerer or for its next poke holds none.
    :param unplaced_hours: of attempts that nothing sent anywhere, as ``compute`` is none.
    :param lost_hours: how long interrupted attempts had run since they last saved a checkpoint, if they ever did.
    """

    attempts: int = 0
    interruptions: int = 0
    forgiven: int = 0
    no_capacity: int = 0
    on_demand_fallbacks: int = 0
    false_alarms: int = 0
    spot_hours: float = 0.0
    on_demand_hours: float = 0.0
    unplaced_hours: float = 0.0
    lost_hours: float = 0.0


def totals(sums: Mapping[Group, Sum] | Mapping[Slot, Sum]) -> Totals:
    """Return what everything comes to."""
    found = Totals()
    for group, of in sums.items():
        found.attempts += of.attempts
        found.interruptions += of.interruptions
        found.forgiven += of.forgiven
        found.no_capacity += int(of.counted.get(_NO_CAPACITY, (0, 0.0))[0])
        found.on_demand_fallbacks += of.fallbacks
        found.false_alarms += of.false_alarms
        found.lost_hours += of.lost / 3600
        if group.capacity == SPOT:
            found.spot_hours += of.seconds / 3600
        elif group.capacity == _ON_DEMAND:
            found.on_demand_hours += of.seconds / 3600
        elif group.capacity == _UNPLACED:
            found.unplaced_hours += of.seconds / 3600
    return found


@dataclass
class Share:
    """What one value of a dimension has of everything.

    :param spot_interruptions: those of its interruptions that ended an attempt on spot.
    :param attempts: all of them, interrupted or not.
    :param lost_hours: of the interruptions that are counted.
    :param saved: what spot has saved, estimated; None without prices.
    """

    value: str
    interruptions: int = 0
    lost_hours: float = 0.0
    spot_interruptions: int = 0
    attempts: int = 0
    spot_hours: float = 0.0
    saved: float | None = None

    @property
    def per_attempt(self) -> float | None:
        """How many of its attempts were interrupted, from 0 to 1."""
        return self.interruptions / self.attempts if self.attempts else None

    @property
    def per_spot_hour(self) -> float | None:
        """How often it was interrupted in an hour on spot."""
        return self.spot_interruptions / self.spot_hours if self.spot_hours else None


def shares(sums: Sums, value_of: Callable[[Group], str], prices: Mapping[str, Price]) -> dict[str, Share]:
    """Return what each value has, those that were never interrupted too."""
    found: dict[str, Share] = {}
    for group, of in sums.items():
        value = value_of(group)
        share = found.get(value)
        if share is None:
            share = found[value] = Share(value, saved=0.0 if prices else None)
        interruptions = of.interruptions
        share.interruptions += interruptions
        share.lost_hours += of.lost_counted / 3600
        share.attempts += of.attempts
        if group.capacity == SPOT:
            share.spot_interruptions += interruptions
            share.spot_hours += of.seconds / 3600
            if prices:
                share.saved = (share.saved or 0.0) + _saved(group, of, prices)
    return found


def causes(sums: Sums) -> dict[str, Share]:
    """Return what each cause has; attempts and hours are those of all, for no attempt has a cause before it ends."""
    found: dict[str, Share] = {}
    for group, of in sums.items():
        for cause, (count, lost) in of.counted.items():
            share = found.setdefault(cause, Share(cause))
            share.interruptions += int(count)
            share.lost_hours += lost / 3600
            share.spot_interruptions += int(count) if group.capacity == SPOT else 0
    everything = totals(sums)
    for share in found.values():
        share.attempts, share.spot_hours = everything.attempts, everything.spot_hours
    return found


def spot_hours(sums: Mapping[Group, Sum] | Mapping[Slot, Sum]) -> dict[str, Hours]:
    """Return the hours on spot and those that were lost, by instance type."""
    found: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for group, of in sums.items():
        if group.capacity == SPOT:
            hours = found[group.instance_type]
            hours[0] += of.seconds / 3600
            hours[1] += of.lost / 3600
    return {kind: Hours(spot, lost) for kind, (spot, lost) in found.items()}


def _saved(group: Group, of: Sum, prices: Mapping[str, Price]) -> float:
    return estimate(prices, {group.instance_type: Hours(of.seconds / 3600, of.lost / 3600)}).amount

# SPDX-License-Identifier: Apache-2.0
"""Play a list of endings through the rules, as ``airflow interruptible plan`` does.

The table of the README, row by row:

>>> def row(retries, system_retries, *endings):
...     plan = simulate(Budget(retries, system_retries), True, [Ending(ending) for ending in endings])
...     return [attempt.capacity.value for attempt in plan.attempts], plan.final
>>> i, a, ok = "interruption", "application", "success"
>>> row(0, 3, ok)
(['on-demand'], 'success')
>>> row(0, 3, i, ok)
(['on-demand', 'on-demand'], 'success')
>>> row(2, 3, a, a, a)
(['spot', 'spot', 'on-demand'], 'failed')
>>> row(2, 3, i, i, ok)
(['spot', 'spot', 'spot'], 'success')
>>> row(2, 3, i, i, i, i, a, a)
(['spot', 'spot', 'spot', 'on-demand', 'on-demand', 'on-demand'], 'failed')
>>> row(1, 3, i, a, i, ok)
(['spot', 'spot', 'on-demand', 'on-demand'], 'success')
>>> row(2, 0, i, i, i)
(['spot', 'spot', 'on-demand'], 'failed')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.cause import Charge
from airflow_interruptible.core.ending import Ending
from airflow_interruptible.core.history import History, Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_interruptible.core.capacity import CapacityType


@dataclass(frozen=True)
class PlannedAttempt:
    """One attempt of a plan."""

    attempt: int
    capacity: CapacityType
    charge: Charge


@dataclass(frozen=True)
class Plan:
    """What a list of endings leads to. ``upcoming`` is the capacity of the attempt after them, if there is one."""

    attempts: tuple[PlannedAttempt, ...]
    final: Literal["success", "failed", "running"]
    upcoming: CapacityType | None


def simulate(budget: Budget, interruptible: bool, endings: Sequence[Ending]) -> Plan:
    """Play ``endings``, oldest first; what comes after a success or the task's failure is not played."""
    history = History(interruptible, Account(budget))
    played: list[PlannedAttempt] = []
    for ending in endings:
        number, capacity = history.next_number, history.next_placement.capacity
        cause = ending.cause_on(capacity)
        if cause is None:
            return Plan((*played, PlannedAttempt(number, capacity, Charge.NONE)), "success", None)
        charge = history.account.charge_for(cause)
        played.append(PlannedAttempt(number, capacity, charge))
        history = _after(history, ending, Trace(capacity, cause))
        if history.account.exhausted:
            return Plan(tuple(played), "failed", None)
    return Plan(tuple(played), "running", history.next_placement.capacity)


def _after(history: History, ending: Ending, trace: Trace) -> History:
    if ending is Ending.CLEARED:
        return History(history.interruptible, Account(history.account.budget), base=history.next_number)
    return history.after(trace)

# SPDX-License-Identifier: Apache-2.0
"""Which capacity the next attempt gets, and why.

>>> from airflow_interruptible.core.budget import Account, Budget
>>> choose_capacity(True, Account(Budget(user_retries=0, system_retries=3))).capacity.value
'on-demand'
>>> choose_capacity(True, Account(Budget(user_retries=2, system_retries=3))).capacity.value
'spot'
>>> choose_capacity(True, Account(Budget(user_retries=2, system_retries=3), user_failures=2)).why
'this is the last user attempt'
>>> choose_capacity(True, Account(Budget(user_retries=2, system_retries=3)), last_try=True).why
'Airflow allows no try after it'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause

if TYPE_CHECKING:
    from airflow_interruptible.core.budget import Account


_LAST = "this is the last user attempt"
_NEVER = "with retries=0 each attempt is the last user attempt, never on spot: set retries to 1 or more"


@dataclass(frozen=True)
class Placement:
    """The capacity chosen for an attempt, and the reason, as a clause that can follow "since"."""

    capacity: CapacityType
    why: str


def choose_capacity(interruptible: bool, account: Account, *, last_try: bool = False) -> Placement:
    """Choose the capacity of the attempt that comes after those in ``account``.

    There is no way to opt out of the on-demand last attempt: a task that could lose its last attempt to a
    reclaim would be less reliable than the same task without us.

    :param last_try: Airflow allows no try after this attempt, whatever is left in ``account``: its ``max_tries`` is
        less than both budgets where a task was adopted in the middle of a run, or another package changed ``retries``.
    """
    if not interruptible:
        return Placement(CapacityType.ON_DEMAND, "the task is not interruptible")
    if account.on_last_user_attempt:
        return Placement(CapacityType.ON_DEMAND, _LAST if account.budget.user_retries else _NEVER)
    if account.nothing_left_to_forgive:
        return Placement(CapacityType.ON_DEMAND, "no system retries are left")
    if last_try:
        return Placement(CapacityType.ON_DEMAND, "Airflow allows no try after it")
    if account.last is Cause.NO_CAPACITY:
        return Placement(CapacityType.ON_DEMAND, "the last attempt found no spot capacity")
    return Placement(CapacityType.SPOT, "the task is interruptible")

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
>>> choose_capacity(True, Account(Budget(user_retries=2, system_retries=3)), unread=True).capacity.value
'on-demand'
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


def choose_capacity(
    interruptible: bool, account: Account, *, last_try: bool = False, unread: bool = False
) -> Placement:
    """Choose the capacity of the attempt that comes after those in ``account``.

    There is no way to opt out of the on-demand last attempt: a task that could lose its last attempt to a
    reclaim would be less reliable than the same task without us.

    :param last_try: Airflow allows no try after this attempt, whatever is left in ``account``: its ``max_tries`` is
        less than both budgets where a task was adopted in the middle of a run, or another package changed ``retries``.
    :param unread: whoever places the attempt cannot read what happened before it, so that it may be the last one.
    """
    reasons = (
        (not interruptible, "the task is not interruptible"),
        (unread, "what happened before it cannot be read where attempts are placed"),
        (account.on_last_user_attempt, _LAST if account.budget.user_retries else _NEVER),
        (account.nothing_left_to_forgive, "no system retries are left"),
        (last_try, "Airflow allows no try after it"),
        (account.last is Cause.NO_CAPACITY, "the last attempt found no spot capacity"),
    )
    for applies, why in reasons:
        if applies:
            return Placement(CapacityType.ON_DEMAND, why)
    return Placement(CapacityType.SPOT, "the task is interruptible")

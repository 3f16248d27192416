# SPDX-License-Identifier: Apache-2.0
"""When an attempt goes on demand, and what is said about it."""

from __future__ import annotations

import pytest

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.placement import choose_capacity

NEVER = "with retries=0 each attempt is the last user attempt, never on spot: set retries to 1 or more"


@pytest.mark.parametrize(
    ("interruptible", "account", "capacity", "why"),
    [
        (False, Account(Budget(2, 3)), "on-demand", "the task is not interruptible"),
        (True, Account(Budget(2, 3)), "spot", "the task is interruptible"),
        (True, Account(Budget(0, 3)), "on-demand", NEVER),
        (True, Account(Budget(2, 3), user_failures=1), "spot", "the task is interruptible"),
        (True, Account(Budget(2, 3), user_failures=2), "on-demand", "this is the last user attempt"),
        (True, Account(Budget(2, 3), user_failures=3), "on-demand", "this is the last user attempt"),
        (True, Account(Budget(2, 3), system_failures=2), "spot", "the task is interruptible"),
        (True, Account(Budget(2, 3), system_failures=3), "on-demand", "no system retries are left"),
        (True, Account(Budget(2, 0)), "spot", "the task is interruptible"),
        (True, Account(Budget(0, 0)), "on-demand", NEVER),
        (
            True,
            Account(Budget(2, 3), system_failures=1, last=Cause.NO_CAPACITY),
            "on-demand",
            "the last attempt found no spot capacity",
        ),
        (True, Account(Budget(2, 3), last=Cause.SPOT_INTERRUPTION), "spot", "the task is interruptible"),
    ],
)
def test_the_rule(interruptible: bool, account: Account, capacity: str, why: str) -> None:
    placement = choose_capacity(interruptible, account)
    assert (placement.capacity, placement.why) == (CapacityType(capacity), why)


def test_a_shortage_moves_one_attempt_only() -> None:
    account = Account(Budget(2, 5)).after(Cause.NO_CAPACITY)
    assert choose_capacity(True, account).capacity is CapacityType.ON_DEMAND
    assert choose_capacity(True, account.after(Cause.INFRASTRUCTURE)).capacity is CapacityType.SPOT


def test_the_words_of_a_capacity() -> None:
    assert {capacity.value: capacity.phrase for capacity in CapacityType} == {
        "spot": "on spot",
        "on-demand": "on demand",
    }

# SPDX-License-Identifier: Apache-2.0
"""The table of the contract, row by row, and what else a list of endings can lead to."""

from __future__ import annotations

import pytest

from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Charge
from airflow_interruptible.core.ending import Ending
from airflow_interruptible.core.plan import PlannedAttempt, simulate

LETTERS = {
    "A": Ending.APPLICATION,
    "I": Ending.INTERRUPTION,
    "F": Ending.INFRASTRUCTURE,
    "N": Ending.NO_CAPACITY,
    "V": Ending.VANISHED,
    "L": Ending.NEVER_STARTED,
    "C": Ending.CLEARED,
    "ok": Ending.SUCCESS,
}
CAPACITIES = {"s": CapacityType.SPOT, "d": CapacityType.ON_DEMAND}
CHARGES = {"s": Charge.SYSTEM, "u": Charge.USER, "-": Charge.NONE}


@pytest.mark.parametrize(
    ("budget", "endings", "capacities", "charges", "final"),
    [
        # the table of the contract
        (Budget(0, 3), "ok", "d", "-", "success"),
        (Budget(0, 3), "I ok", "dd", "s-", "success"),
        (Budget(2, 3), "A A A", "ssd", "uuu", "failed"),
        (Budget(2, 3), "I I ok", "sss", "ss-", "success"),
        (Budget(2, 3), "I I I I A A", "sssddd", "sssuuu", "failed"),
        (Budget(1, 3), "I A I ok", "ssdd", "sus-", "success"),
        (Budget(2, 0), "I I I", "ssd", "uuu", "failed"),
        # no retries at all
        (Budget(0, 0), "I", "d", "u", "failed"),
        (Budget(0, 0), "A", "d", "u", "failed"),
        (Budget(0, 3), "A", "d", "u", "failed"),
        # a shortage moves one attempt
        (Budget(2, 5), "N I I ok", "sdss", "sss-", "success"),
        (Budget(2, 5), "N N ok", "sdd", "ss-", "success"),
        # silence
        (Budget(2, 3), "V V ok", "sss", "ss-", "success"),
        (Budget(1, 3), "A V", "sd", "uu", "failed"),
        (Budget(2, 3), "L F ok", "sss", "ss-", "success"),
        # a clear starts both budgets afresh, in the numbering of Airflow
        (Budget(1, 1), "A I C I A A", "sddsdd", "us-suu", "failed"),
        (Budget(1, 1), "A C ok", "sds", "u--", "success"),
    ],
)
def test_a_list_of_endings(budget: Budget, endings: str, capacities: str, charges: str, final: str) -> None:
    plan = simulate(budget, True, [LETTERS[letter] for letter in endings.split()])
    assert plan.attempts == tuple(
        PlannedAttempt(number, CAPACITIES[capacity], CHARGES[charge])
        for number, (capacity, charge) in enumerate(zip(capacities, charges, strict=True), start=1)
    )
    assert plan.final == final
    assert plan.upcoming is None


@pytest.mark.parametrize(
    ("user_retries", "endings", "upcoming"),
    [(1, "", "s"), (0, "", "d"), (1, "A", "d"), (1, "N", "d"), (1, "I I I", "d"), (1, "A C", "s")],
)
def test_a_task_that_is_not_done_yet_has_a_next_attempt(user_retries: int, endings: str, upcoming: str) -> None:
    plan = simulate(Budget(user_retries, 3), True, [LETTERS[letter] for letter in endings.split()])
    assert plan.final == "running"
    assert plan.upcoming is CAPACITIES[upcoming]


def test_a_task_that_is_not_interruptible_is_forgiven_too() -> None:
    plan = simulate(Budget(1, 1), False, [LETTERS[letter] for letter in ["F", "F", "A"]])
    assert [attempt.capacity for attempt in plan.attempts] == [CapacityType.ON_DEMAND] * 3
    assert [attempt.charge for attempt in plan.attempts] == [Charge.SYSTEM, Charge.USER, Charge.USER]
    assert plan.final == "failed"


@pytest.mark.parametrize("last", ["ok", "A"])
def test_nothing_is_played_after_the_end(last: str) -> None:
    plan = simulate(Budget(0, 3), True, [LETTERS[last], Ending.INTERRUPTION, Ending.SUCCESS])
    assert len(plan.attempts) == 1

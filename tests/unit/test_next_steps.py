# SPDX-License-Identifier: Apache-2.0
"""What a person is told to do about what happened."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_interruptible.attempts import AttemptView, Story
from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.history import History
from airflow_interruptible.next_steps import next_steps

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def attempt(number: int, cause: Cause | None, capacity: CapacityType = SPOT, **said: Any) -> AttemptView:
    charge = cause.charge if cause else Charge.NONE
    plain: dict[str, Any] = {"reason": None, "start": None, "end": None, "user_retries_left": 1}
    return AttemptView(number, "failed", capacity, cause, charge, system_retries_left=1, **{**plain, **said})


def story(*attempts: AttemptView, budget: Budget | None = None, base: int = 0) -> Story:
    account = Account(budget or Budget(2, 9))
    for each in attempts:
        if each.cause is not None:
            account = account.after(each.cause)
    return Story("failed", live=False, attempts=attempts, history=History(True, account, base))


def told(*attempts: AttemptView, **said: Any) -> str:
    return " ".join(next_steps(story(*attempts, **said)))


def test_where_nothing_went_wrong_nothing_is_told() -> None:
    assert next_steps(story(attempt(1, None))) == []
    assert next_steps(Story("failed", live=False, attempts=[attempt(1, Cause.APPLICATION)])) == []


def test_one_interruption_is_no_reason_to_change_anything() -> None:
    assert next_steps(story(attempt(1, Cause.SPOT_INTERRUPTION), attempt(2, None))) == []


@pytest.mark.parametrize(
    ("attempts", "words"),
    [
        (
            [attempt(1, Cause.APPLICATION, error="ValueError: x")],
            "Attempt 1 failed by its own error: its log says more",
        ),
        ([attempt(n, Cause.APPLICATION, error="ValueError: x") for n in (1, 2)], "The same error ended 2 attempts"),
        ([attempt(1, Cause.APPLICATION, error="MemoryError")], "ran out of memory"),
        ([attempt(n, Cause.SPOT_INTERRUPTION) for n in (1, 2)], "Save a checkpoint()"),
        ([attempt(1, Cause.NO_CAPACITY)], "Spot capacity could not be had"),
        ([attempt(n, Cause.INFRASTRUCTURE) for n in (1, 2)], "whoever runs the cluster"),
    ],
)
def test_each_cause_has_its_step(attempts: list[AttemptView], words: str) -> None:
    assert words in told(*attempts)


def test_a_zone_is_left_only_if_another_one_was_kinder() -> None:
    bad = [attempt(n, Cause.SPOT_INTERRUPTION, where={"zone": "z1"}) for n in (1, 2)]
    assert "Zone z1 took it away each time, z2 did not" in told(*bad, attempt(3, None, where={"zone": "z2"}))
    assert "Zone" not in told(*bad)
    assert "Zone" not in told(*bad, attempt(3, Cause.SPOT_INTERRUPTION))


def test_a_checkpoint_that_is_saved_already_is_not_advised() -> None:
    saved = [attempt(n, Cause.SPOT_INTERRUPTION, checkpoint={"at": "then", "loaded": False}) for n in (1, 2)]
    assert "checkpoint" not in told(*saved)


def test_a_spent_budget_is_told() -> None:
    assert "All 1 system retries are spent" in told(attempt(1, Cause.SPOT_INTERRUPTION), budget=Budget(1, 1))


def test_what_can_never_run_on_spot_is_told() -> None:
    assert "Set retries=1 or more" in told(attempt(1, None, ON_DEMAND), budget=Budget(0, 3))
    assert told(attempt(1, None, ON_DEMAND), budget=Budget(2, 3)) == ""


def test_only_what_counts_since_the_last_clear_is_looked_at() -> None:
    assert told(attempt(1, Cause.APPLICATION), attempt(2, None), base=1) == ""

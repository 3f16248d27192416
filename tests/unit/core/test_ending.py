# SPDX-License-Identifier: Apache-2.0
"""What an ending means, and what is presumed where nobody reported."""

from __future__ import annotations

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.ending import Ending

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def test_the_outcomes_are_those_of_the_contract() -> None:
    assert [ending.value for ending in Ending] == [
        "interruption",
        "infrastructure",
        "no_capacity",
        "vanished",
        "never_started",
        "application",
        "cleared",
        "success",
    ]


@pytest.mark.parametrize(
    ("ending", "on_spot", "on_demand"),
    [
        (Ending.INTERRUPTION, Cause.SPOT_INTERRUPTION, Cause.SPOT_INTERRUPTION),
        (Ending.INFRASTRUCTURE, Cause.INFRASTRUCTURE, Cause.INFRASTRUCTURE),
        (Ending.NO_CAPACITY, Cause.NO_CAPACITY, Cause.NO_CAPACITY),
        (Ending.NEVER_STARTED, Cause.INFRASTRUCTURE, Cause.INFRASTRUCTURE),
        (Ending.APPLICATION, Cause.APPLICATION, Cause.APPLICATION),
        (Ending.CLEARED, Cause.USER_ACTION, Cause.USER_ACTION),
        (Ending.SUCCESS, None, None),
        (Ending.VANISHED, Cause.SPOT_INTERRUPTION, Cause.UNKNOWN),
    ],
)
def test_the_cause_of_an_ending(ending: Ending, on_spot: Cause | None, on_demand: Cause | None) -> None:
    assert ending.cause_on(SPOT) is on_spot
    assert ending.cause_on(ON_DEMAND) is on_demand

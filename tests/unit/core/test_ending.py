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


@pytest.mark.parametrize("started", [True, False])
def test_who_was_told_to_stop_and_fell_silent_ended_as_if_it_had_reported(started: bool) -> None:
    assert Ending.of_silence(SPOT, started=started, told=True) is Ending.INTERRUPTION
    assert Ending.of_silence(ON_DEMAND, started=started, told=True) is Ending.INFRASTRUCTURE


def test_silence_without_a_warning() -> None:
    assert Ending.of_silence(SPOT, started=True) is Ending.VANISHED
    assert Ending.of_silence(SPOT, started=False) is Ending.NEVER_STARTED

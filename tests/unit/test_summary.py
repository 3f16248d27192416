# SPDX-License-Identifier: Apache-2.0
"""What happened to a task instance, in one sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_interruptible.attempts import tell
from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.ledger import Ledger, Record
from airflow_interruptible.marker import Marker
from airflow_interruptible.server.tries import TaskInstanceTries, Try
from airflow_interruptible.summary import summary

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
BUDGET = Budget(2, 3)
MARKER = Marker(True, BUDGET, SPOT, timedelta(seconds=10))
T = "2026-01-01T00:00:00.000+00:00"


def lost(cause: Cause = Cause.SPOT_INTERRUPTION, capacity: CapacityType = SPOT) -> Record:
    return Record(capacity, cause, Charge.SYSTEM, T, T)


OWN = Record(SPOT, Cause.APPLICATION, Charge.USER, T, T)


NOWHERE = Marker(True, BUDGET, SPOT, timedelta(seconds=10), placed=False)
NEVER = Marker(True, Budget(0, 3), ON_DEMAND, timedelta(seconds=10))


def say(*records: Record, state: str | None = "running", **known: Any) -> str:
    """The sentence of a task instance whose last attempt is in ``last``, by default in its state."""
    waiting = known.pop("waiting", False)
    states = ["failed"] * len(records)
    if records and not waiting:
        states[-1] = state or "failed"
    rows = [
        Try(number, each, None, None, None, known.get("marker", MARKER)) for number, each in enumerate(states, start=1)
    ]
    ledger = Ledger(known.pop("max_tries", 5), known.pop("bases", (0,)), dict(enumerate(records, start=1)))
    live = state not in ("success", "failed")
    given = {"marker": MARKER, **known}
    return summary(tell(TaskInstanceTries(rows, ledger, ledger.max_tries or 5, {}, state, live, waiting, **given)))


RUNS, ON = Record(SPOT, started=T), Record(ON_DEMAND, started=T)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (lambda: say(RUNS), "Now on spot."),
        (lambda: say(RUNS, marker=NOWHERE), "Now running; nothing is moved, as compute is none."),
        (
            lambda: say(lost(), RUNS, state="success", marker=NOWHERE),
            "Interrupted once, forgiven; succeeded in attempt 2; nothing is moved, as compute is none.",
        ),
        (
            lambda: say(lost(), waiting=True, state="up_for_retry", marker=NOWHERE),
            (
                "Interrupted once, forgiven; 2 of 2 retries left; the next attempt would go on spot since the task is "
                "interruptible; nothing is moved, as compute is none."
            ),
        ),
        (
            lambda: say(ON, marker=NEVER, max_tries=3),
            "Now on demand; never on spot with retries=0: set retries to 1 or more.",
        ),
        (lambda: say(RUNS, state="success"), "Succeeded on spot in attempt 1."),
        (
            lambda: say(lost(), lost(), RUNS),
            "Interrupted twice on spot, both forgiven; 2 of 2 retries left; now on spot.",
        ),
        (
            lambda: say(lost(), RUNS, state="success"),
            "Interrupted once on spot, forgiven; succeeded on spot in attempt 2.",
        ),
        (
            lambda: say(lost(), lost(), lost(), lost(), ON),
            "Interrupted 4 times on spot, 3 of 4 forgiven; 1 of 2 retries left; now on demand.",
        ),
        (
            lambda: say(lost(Cause.NO_CAPACITY), ON, state="queued"),
            "Without spot capacity once, forgiven; 2 of 2 retries left; now waiting for a place on demand.",
        ),
        (
            lambda: say(lost(Cause.INFRASTRUCTURE), lost(), waiting=True, state="up_for_retry"),
            (
                "Interrupted once on spot and lost by the platform once on spot, both forgiven; 2 of 2 retries left; "
                "the next attempt goes on spot since the task is interruptible."
            ),
        ),
        (
            lambda: say(OWN, OWN, waiting=True, state="up_for_retry"),
            (
                "Failed twice by its own error; 0 of 2 retries left; the next attempt goes on demand since this is "
                "the last user attempt."
            ),
        ),
        (
            lambda: say(OWN, OWN, OWN, state="failed"),
            "Failed 3 times by its own error; failed on spot in attempt 3.",
        ),
        (
            lambda: say(waiting=True, state=None),
            "No attempt yet, the first goes on spot since the task is interruptible.",
        ),
        (lambda: say(state="success"), "No attempt was made, success."),
        (lambda: say(state="scheduled"), "No attempt yet."),
        (
            lambda: say(Record(SPOT, Cause.USER_ACTION, Charge.NONE, T, T), state="failed"),
            "Ended by a person in attempt 1.",
        ),
        (
            lambda: say(RUNS, marker=None),
            "This task is not interruptible, and nobody counts its attempts: Airflow's own retries apply.",
        ),
    ],
)  # fmt: skip
def test_the_sentence(told: Any, expected: str) -> None:
    assert told() == expected


def test_only_what_counts_is_told() -> None:
    assert say(lost(), lost(), RUNS, bases=(0, 2), max_tries=7) == "Now on spot."


def test_none_is_said_to_be_forgiven_that_was_not() -> None:
    marker = Marker(True, Budget(2, 0), SPOT, timedelta(seconds=10))
    said = say(Record(SPOT, Cause.SPOT_INTERRUPTION, Charge.USER, T, T), RUNS, marker=marker, max_tries=2)
    assert said == "Interrupted once on spot, not forgiven; 1 of 2 retries left; now on spot."

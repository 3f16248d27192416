# SPDX-License-Identifier: Apache-2.0
"""One verdict on an ended attempt, and one line that explains it."""

from __future__ import annotations

import pytest

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.history import History, Trace
from airflow_interruptible.core.verdict import REASON_LIMIT, decide

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def history(user_retries: int, system_retries: int, *causes: Cause, interruptible: bool = True) -> History:
    result = History(interruptible, Account(Budget(user_retries, system_retries)))
    for cause in causes:
        result = result.after(Trace(None, cause))
    return result


@pytest.mark.parametrize(
    ("before", "trace", "evidence", "reason"),
    [
        (
            history(2, 3),
            Trace(SPOT, Cause.SPOT_INTERRUPTION),
            "SIGTERM",
            (
                "attempt 1 on spot interrupted (SIGTERM); forgiven: system retry 1 of 3; "
                "next on spot since the task is interruptible"
            ),
        ),
        (
            history(1, 3),
            Trace(SPOT, Cause.APPLICATION),
            "ValueError",
            (
                "attempt 1 on spot failed (ValueError); charged to the author: user failure 1, 1 retries; "
                "next on demand since this is the last user attempt"
            ),
        ),
        (
            history(2, 3, interruptible=False),
            Trace(ON_DEMAND, Cause.INFRASTRUCTURE),
            "",
            (
                "attempt 1 on demand lost to the infrastructure; forgiven: system retry 1 of 3; "
                "next on demand since the task is not interruptible"
            ),
        ),
        (
            history(2, 3),
            Trace(SPOT, Cause.NO_CAPACITY),
            "",
            (
                "attempt 1 on spot found no spot capacity; forgiven: system retry 1 of 3; "
                "next on demand since the last attempt found no spot capacity"
            ),
        ),
        (
            history(2, 1),
            None,
            "",
            (
                "attempt 1 on spot lost to the infrastructure; forgiven: system retry 1 of 1; "
                "next on demand since no system retries are left"
            ),
        ),
        (
            history(0, 3),
            Trace(None),
            "",
            (
                "attempt 1 on demand ended for an unknown reason; charged to the author: user failure 1, 0 retries; "
                "no retries left"
            ),
        ),
        (
            history(1, 1),
            Trace(SPOT, Cause.USER_ACTION),
            "",
            "attempt 1 on spot ended by a person; charged to nobody; next on spot since the task is interruptible",
        ),
    ],
)
def test_the_reason_says_it_all(before: History, trace: Trace | None, evidence: str, reason: str) -> None:
    assert decide(before, trace, evidence).reason == reason


def test_the_verdict_holds_the_history_with_the_attempt() -> None:
    before = history(2, 3, Cause.APPLICATION)
    verdict = decide(before, Trace(SPOT, Cause.SPOT_INTERRUPTION))
    assert verdict.history.attempts[:-1] == before.attempts
    assert verdict.history.attempts[-1].number == 2
    assert verdict.charge is Charge.SYSTEM
    assert verdict.retry
    assert verdict.placement == verdict.history.next_placement


def test_the_failure_after_the_last_user_retry_fails_the_task() -> None:
    assert decide(history(1, 3), Trace(SPOT, Cause.APPLICATION)).retry
    assert not decide(history(1, 3, Cause.APPLICATION), Trace(ON_DEMAND, Cause.APPLICATION)).retry


def test_an_interruption_fails_the_task_only_when_nobody_can_pay() -> None:
    assert decide(history(0, 1), Trace(ON_DEMAND, Cause.INFRASTRUCTURE)).retry
    assert not decide(history(0, 1, Cause.INFRASTRUCTURE), Trace(ON_DEMAND, Cause.INFRASTRUCTURE)).retry


def test_the_reason_is_one_line() -> None:
    reason = decide(history(2, 3), None, "a\nb\r\nc\td\x0be\u2028f\x85g").reason
    assert "(a b c d e f g)" in reason
    assert len(reason.splitlines()) == 1


def test_the_reason_fits_where_airflow_keeps_it() -> None:
    reason = decide(history(2, 3), None, "x" * 10_000).reason
    assert len(reason) == REASON_LIMIT
    assert reason.endswith("…")


def test_the_last_try_that_airflow_allows_is_followed_by_none() -> None:
    """Both budgets have something left, and Airflow does not ask them."""
    before = History(True, Account(Budget(1, 3)), max_tries=1).after(Trace(SPOT, Cause.APPLICATION))
    verdict = decide(before, Trace(ON_DEMAND, Cause.SPOT_INTERRUPTION))
    assert not verdict.retry
    assert verdict.reason.endswith("forgiven: system retry 1 of 3; Airflow allows no try after it (max_tries 1)")


def test_a_reason_claims_no_place_where_nothing_places() -> None:
    history = History(True, Account(Budget(1, 3)), placed=False)
    assert decide(history, Trace(CapacityType.SPOT, Cause.SPOT_INTERRUPTION), "SIGTERM").reason == (
        "attempt 1 interrupted (SIGTERM); forgiven: system retry 1 of 3; next would be on spot since the task is "
        "interruptible, but nothing is moved, as compute is none"
    )

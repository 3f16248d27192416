# SPDX-License-Identifier: Apache-2.0
"""Two budgets, and the one place where attempts are counted."""

from __future__ import annotations

import pytest

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.cause import Cause, Charge

SYSTEM = [Cause.SPOT_INTERRUPTION, Cause.INFRASTRUCTURE, Cause.NO_CAPACITY]
USER = [Cause.APPLICATION, Cause.UNKNOWN]


def spent(budget: Budget, *causes: Cause) -> Account:
    account = Account(budget)
    for cause in causes:
        account = account.after(cause)
    return account


@pytest.mark.parametrize("wrong", [-1, True, False, 1.0, "3", None])
@pytest.mark.parametrize("name", ["user_retries", "system_retries"])
def test_a_budget_refuses_what_cannot_be_counted(name: str, wrong: object) -> None:
    numbers: dict[str, object] = {"user_retries": 1, "system_retries": 1, name: wrong}
    with pytest.raises(ValueError, match=f"{name} must be an int >= 0, got {wrong!r}"):
        Budget(**numbers)  # type: ignore[arg-type]


def test_airflow_gets_the_sum() -> None:
    assert Budget(2, 3).total_retries == 5
    assert Budget(0, 0).total_retries == 0


def test_every_cause_has_a_charge() -> None:
    assert {cause: cause.charge for cause in Cause} == {
        **dict.fromkeys(SYSTEM, Charge.SYSTEM),
        **dict.fromkeys(USER, Charge.USER),
        Cause.USER_ACTION: Charge.NONE,
    }


@pytest.mark.parametrize("cause", SYSTEM)
def test_system_failures_are_forgiven_until_the_system_budget_is_spent(cause: Cause) -> None:
    account = Account(Budget(user_retries=1, system_retries=2))
    charges = []
    for _ in range(3):
        charges.append(account.charge_for(cause))
        account = account.after(cause)
    assert charges == [Charge.SYSTEM, Charge.SYSTEM, Charge.USER]
    assert (account.user_retries_left, account.system_retries_left) == (0, 0)


@pytest.mark.parametrize("cause", USER)
def test_the_authors_failures_never_touch_the_system_budget(cause: Cause) -> None:
    account = spent(Budget(1, 2), cause, cause)
    assert account.exhausted
    assert account.system_retries_left == 2


def test_what_a_person_did_is_charged_to_nobody() -> None:
    before = Account(Budget(1, 2))
    after = before.after(Cause.USER_ACTION)
    assert before.charge_for(Cause.USER_ACTION) is Charge.NONE
    assert (after.user_failures, after.system_failures, after.row) == (0, 0, 0)


def test_a_row_is_of_system_failures_whoever_paid_for_them() -> None:
    budget = Budget(3, 1)
    rows = []
    account = Account(budget)
    for cause in (Cause.SPOT_INTERRUPTION, Cause.INFRASTRUCTURE, Cause.APPLICATION, Cause.NO_CAPACITY):
        account = account.after(cause)
        rows.append(account.row)
    assert rows == [1, 2, 0, 1]


def test_the_last_cause_is_remembered() -> None:
    assert Account(Budget(1, 1)).last is None
    assert spent(Budget(1, 1), Cause.APPLICATION, Cause.NO_CAPACITY).last is Cause.NO_CAPACITY


@pytest.mark.parametrize(
    ("user_failures", "last_attempt", "exhausted", "left"),
    [(0, False, False, 2), (1, False, False, 1), (2, True, False, 0), (3, True, True, 0), (9, True, True, 0)],
)
def test_the_authors_side(user_failures: int, last_attempt: bool, exhausted: bool, left: int) -> None:
    account = Account(Budget(user_retries=2, system_retries=0), user_failures=user_failures)
    assert account.on_last_user_attempt is last_attempt
    assert account.exhausted is exhausted
    assert account.user_retries_left == left


@pytest.mark.parametrize(
    ("system_retries", "system_failures", "nothing_left", "left"),
    [(0, 0, False, 0), (2, 0, False, 2), (2, 1, False, 1), (2, 2, True, 0), (2, 5, True, 0)],
)
def test_the_platforms_side(system_retries: int, system_failures: int, nothing_left: bool, left: int) -> None:
    account = Account(Budget(5, system_retries), system_failures=system_failures)
    assert account.nothing_left_to_forgive is nothing_left
    assert account.system_retries_left == left


def test_an_account_is_a_value() -> None:
    before = Account(Budget(1, 1))
    before.after(Cause.APPLICATION)
    assert before == Account(Budget(1, 1))

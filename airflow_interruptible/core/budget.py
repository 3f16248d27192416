# SPDX-License-Identifier: Apache-2.0
"""The two budgets of a task, and the only place where attempts are counted.

An :class:`Account` is what is left after some attempts. It is folded over the causes, oldest first, so evidence
that arrives later changes the whole answer and nothing has to be corrected by hand:

>>> from airflow_interruptible.core.cause import Cause
>>> account = Account(Budget(user_retries=2, system_retries=3))
>>> for _ in range(3):
...     account = account.after(Cause.SPOT_INTERRUPTION)
>>> account.charge_for(Cause.SPOT_INTERRUPTION).value
'user'
>>> account = account.after(Cause.SPOT_INTERRUPTION)
>>> (account.user_retries_left, account.system_retries_left, account.exhausted)
(1, 0, False)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from airflow_interruptible.core.cause import Cause, Charge


@dataclass(frozen=True)
class Budget:
    """What a task may spend between two clears.

    :param user_retries: the author's ``retries`` (U).
    :param system_retries: how many interruptions and other system failures are forgiven (S).
    :raises ValueError: a number is negative.
    """

    user_retries: int
    system_retries: int

    def __post_init__(self) -> None:
        """Refuse what would make every sum below wrong."""
        for name in ("user_retries", "system_retries"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} must be an int >= 0, got {value!r}. Use 0 to forgive none.")

    @property
    def total_retries(self) -> int:
        """What Airflow's own ``retries`` has to be for both budgets to fit: U + S."""
        return self.user_retries + self.system_retries


@dataclass(frozen=True)
class Account:
    """What some attempts have spent of a budget.

    :param user_failures: attempts charged to the author.
    :param system_failures: attempts forgiven.
    :param row: how many system failures in a row ended last, whoever paid for them; it sets the next delay.
    :param last: the cause of the last attempt, None before the first.
    """

    budget: Budget
    user_failures: int = 0
    system_failures: int = 0
    row: int = 0
    last: Cause | None = None

    def charge_for(self, cause: Cause) -> Charge:
        """Return the account that an attempt ended by ``cause`` would draw on now."""
        if cause.charge is Charge.SYSTEM and not self.system_retries_left:
            return Charge.USER
        return cause.charge

    def after(self, cause: Cause) -> Account:
        """Return the account after one more attempt, ended by ``cause``."""
        charge = self.charge_for(cause)
        return replace(
            self,
            user_failures=self.user_failures + (charge is Charge.USER),
            system_failures=self.system_failures + (charge is Charge.SYSTEM),
            row=self.row + 1 if cause.charge is Charge.SYSTEM else 0,
            last=cause,
        )

    @property
    def user_retries_left(self) -> int:
        """How many more attempts may fail on the author's account and still be retried."""
        return max(0, self.budget.user_retries - self.user_failures)

    @property
    def system_retries_left(self) -> int:
        """How many more system failures are forgiven."""
        return max(0, self.budget.system_retries - self.system_failures)

    @property
    def exhausted(self) -> bool:
        """Whether the task has failed: more user failures than ``retries`` allows."""
        return self.user_failures > self.budget.user_retries

    @property
    def on_last_user_attempt(self) -> bool:
        """Whether the next failure on the author's account is the last one."""
        return self.user_failures >= self.budget.user_retries

    @property
    def nothing_left_to_forgive(self) -> bool:
        """Whether a system budget existed and is spent."""
        return 0 < self.budget.system_retries <= self.system_failures

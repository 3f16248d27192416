# SPDX-License-Identifier: Apache-2.0
"""What happened so far, as a value: the attempts since the last clear, each with its capacity, cause and charge.

The scheduler, the API server, the workers and the command line all build their history with :func:`replay`, from
whatever records survived. A gap in the records is an answer too: see :mod:`airflow_interruptible.core.ending`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.ending import Ending
from airflow_interruptible.core.placement import Placement, choose_capacity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.core.capacity import CapacityType


@dataclass(frozen=True)
class Trace:
    """What one attempt left behind.

    :param capacity: what it is known to have run on; None if it was never said, then the rule says it.
    :param cause: why it ended; None if it never said.
    :param started: whether the task's own process was seen to run.
    :param told: whether it was told to stop, by a signal or a notice. If it never reported, it counts as if it had.
    """

    capacity: CapacityType | None = None
    cause: Cause | None = None
    started: bool = True
    told: bool = False

    def ending(self, capacity: CapacityType) -> tuple[Cause, Ending | None]:
        """Return why the attempt ended on ``capacity``, and the ending that was presumed if it never said."""
        if self.cause is not None:
            return self.cause, None
        presumed = Ending.of_silence(capacity, started=self.started, told=self.told)
        return presumed.cause_on(capacity) or Cause.UNKNOWN, presumed


NO_TRACE = Trace(started=False)
"""What an attempt leaves of which nobody knows anything: it was lost before its first line ran."""

MOST = 5_000
"""So many attempts of one generation are counted, the latest: more than Airflow allows, fewer than a forger asks."""


@dataclass(frozen=True)
class Attempt:
    """One finished attempt. ``presumed`` is the ending concluded from silence, None where the attempt reported."""

    number: int
    capacity: CapacityType
    cause: Cause
    charge: Charge
    presumed: Ending | None = None


@dataclass(frozen=True)
class History:
    """The finished attempts since the last clear, and what they leave for the next.

    :param interruptible: the setting that applies.
    :param base: the number of the last attempt before the clear, 0 if there was none; only later attempts count.
    :param max_tries: Airflow's: no attempt with a higher number is followed by another. None where it is not known.
    :param placed: whether anything sends attempts where they belong; if not, no reason claims that they ran there.
    :param blind: whoever places the attempts cannot read this, see :func:`unread_history`: the first one apart, they go
        on demand.
    """

    interruptible: bool
    account: Account
    base: int = 0
    attempts: tuple[Attempt, ...] = ()
    max_tries: int | None = None
    placed: bool = True
    blind: bool = False

    @property
    def next_placement(self) -> Placement:
        """Where the next attempt belongs."""
        unread = self.blind and self.next_number > 1
        return choose_capacity(self.interruptible, self.account, last_try=self._next_is_last_try, unread=unread)

    @property
    def next_is_last(self) -> bool:
        """Whether the task fails if the next attempt fails on the author's account: it then ends spot work it finds."""
        return self.account.on_last_user_attempt or self._next_is_last_try

    @property
    def _next_is_last_try(self) -> bool:
        return self.max_tries is not None and self.next_number > self.max_tries

    @property
    def over(self) -> bool:
        """Whether no attempt may follow: the author's budget is spent, or Airflow allows none."""
        refused = self.max_tries is not None and bool(self.attempts) and self.next_number - 1 > self.max_tries
        return self.account.exhausted or refused

    @property
    def next_number(self) -> int:
        """The number of the next attempt, which is Airflow's try number."""
        return self.base + len(self.attempts) + 1

    @property
    def user_attempt(self) -> int:
        """Which of the author's ``retries + 1`` attempts the next one is, counted from 1."""
        return self.account.user_failures + 1

    def after(self, trace: Trace | None) -> History:
        """Return the history with one more finished attempt; None if the attempt left no trace at all."""
        attempt = self.judged(trace)
        return replace(self, account=self.account.after(attempt.cause), attempts=(*self.attempts, attempt))

    def judged(self, trace: Trace | None) -> Attempt:
        """Return what the next attempt is, if it ends as ``trace`` tells."""
        trace = trace or NO_TRACE
        capacity = trace.capacity or self.next_placement.capacity
        cause, presumed = trace.ending(capacity)
        return Attempt(self.next_number, capacity, cause, self.account.charge_for(cause), presumed)


def unread_history(budget: Budget, interruptible: bool, *, before: int, max_tries: int | None = None) -> History:
    """Return what the server and the workers go by where there is a history that cannot be read.

    Nothing is charged to anybody, as nothing is known; Airflow's own ``max_tries`` bounds the attempts. Any attempt may
    be the last one, so each is on demand, and spot work that it finds is ended first.

    >>> unread_history(Budget(user_retries=2, system_retries=3), True, before=2).next_placement.capacity.value
    'on-demand'

    :param before: the number of the attempt that is about to start, or is running.
    :param max_tries: see :class:`History`.
    """
    last = Account(budget, user_failures=budget.user_retries)
    return History(interruptible, last, base=before - 1, max_tries=max_tries, blind=True)


def replay(
    budget: Budget,
    interruptible: bool,
    traces: Mapping[int, Trace],
    *,
    base: int = 0,
    before: int,
    max_tries: int | None = None,
) -> History:
    """Build the history of the attempts ``base + 1`` up to, but not including, ``before``.

    :param traces: what is known, by attempt number; attempts outside the range are ignored.
    :param before: the number of the attempt that is about to start, or is running.
    :param max_tries: see :class:`History`.
    """
    base = max(base, before - 1 - MOST)
    before_it, attempts = History(interruptible, Account(budget), base, max_tries=max_tries), []
    for number in range(base + 1, before):  # not by after(), which copies all attempts at each turn
        attempt = before_it.judged(traces.get(number))
        before_it = replace(before_it, account=before_it.account.after(attempt.cause), base=number)
        attempts.append(attempt)
    return replace(before_it, base=base, attempts=tuple(attempts))

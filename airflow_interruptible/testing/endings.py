# SPDX-License-Identifier: Apache-2.0
"""Build the history of a task from the endings of its attempts."""

from __future__ import annotations

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.ending import Ending
from airflow_interruptible.core.history import History, Trace


def history(*endings: str, retries: int, system_retries: int = 3, interruptible: bool = True) -> History:
    """Return what some attempts leave for the next one.

    >>> past = history("interruption", "application", retries=1)
    >>> past.next_placement.capacity.value, past.account.system_retries_left
    ('on-demand', 2)

    :param endings: those of :class:`~airflow_interruptible.core.ending.Ending` that are failures, oldest first.
    :raises ValueError: there is no such ending, or it is not a failure.
    """
    past = History(interruptible, Account(Budget(retries, system_retries)))
    for name in endings:
        capacity = past.next_placement.capacity
        cause = Ending(name).cause_on(capacity)
        if cause is None or Ending(name) is Ending.CLEARED:
            raise ValueError(f"{name!r} is no failed attempt, so no history goes on after it. Leave it out.")
        past = past.after(Trace(capacity, cause))
    return past

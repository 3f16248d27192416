# SPDX-License-Identifier: Apache-2.0
"""When the next attempt starts.

A reclaimed machine says nothing about the next one, so the first system failure of a row is retried at once. A second
one in a row hints at a shortage, and waiting with full jitter keeps a storm of reclaimed tasks from coming back as one
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

LONGEST_SYSTEM_DELAY = timedelta(minutes=5)
"""No wait for capacity is longer: by then the on-demand attempt is the better answer."""

LONGEST_AUTHOR_DELAY = timedelta(days=1)
"""Airflow's own ceiling, ``MAX_RETRY_DELAY``."""


def system_delay(row: int, base: timedelta, jitter: float) -> timedelta:
    """Return the wait before the attempt that follows the ``row``-th system failure in a row.

    :param row: 1 for the first of a row.
    :param base: ``system_retry_delay``, the longest wait after the second of a row; doubled for each further one.
    :param jitter: a random number in [0, 1).

    >>> system_delay(1, timedelta(seconds=10), jitter=0.5)
    datetime.timedelta(0)
    >>> [system_delay(row, timedelta(seconds=10), jitter=1).seconds for row in (2, 3, 4, 99)]
    [10, 20, 40, 300]
    """
    if row <= 1:
        return timedelta(0)
    doublings = min(row - 2, 32)  # enough for any base, and short of what a timedelta can hold
    longest = min(min(base, LONGEST_SYSTEM_DELAY) * float(2**doublings), LONGEST_SYSTEM_DELAY)
    return longest * jitter


@dataclass(frozen=True)
class AuthorBackoff:
    """The author's ``retry_delay``, ``retry_exponential_backoff`` and ``max_retry_delay``."""

    retry_delay: timedelta
    multiplier: float = 0.0
    max_retry_delay: timedelta | None = None

    @classmethod
    def of(cls, task: Any) -> AuthorBackoff:
        """Return what an operator says. True, the older form of ``retry_exponential_backoff``, is 2, as in Airflow."""
        said = task.retry_exponential_backoff
        return cls(task.retry_delay, 2.0 if said is True else float(said), task.max_retry_delay)

    @property
    def grows(self) -> bool:
        """Whether the wait depends on how many attempts there were."""
        return self.multiplier > 0 and self.multiplier != 1

    def delay(self, user_attempt: int, jitter: float) -> timedelta:
        """Return the wait after the ``user_attempt``-th user attempt failed.

        The formula is Airflow's (``TaskInstance.next_retry_datetime``), but counted in user attempts: an interruption
        does not lengthen the wait after the next application error.

        >>> AuthorBackoff(timedelta(seconds=60), multiplier=2.0).delay(3, jitter=0)
        datetime.timedelta(seconds=240)
        """
        if not self.grows:
            return self.retry_delay
        shortest = self._shortest(user_attempt)
        delay = timedelta(seconds=min(shortest + int(shortest * jitter), LONGEST_AUTHOR_DELAY.total_seconds()))
        return min(delay, self.max_retry_delay) if self.max_retry_delay else delay

    def _shortest(self, user_attempt: int) -> float:
        try:
            seconds = math.ceil(self.retry_delay.total_seconds() * self.multiplier ** (user_attempt - 1))
        except OverflowError:
            return LONGEST_AUTHOR_DELAY.total_seconds()
        return min(max(1, seconds), LONGEST_AUTHOR_DELAY.total_seconds())

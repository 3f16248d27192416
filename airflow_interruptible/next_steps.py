# SPDX-License-Identifier: Apache-2.0
"""What a person can do about what happened to a task instance, in plain sentences, the most useful first.

Pure: it looks at what :mod:`airflow_interruptible.attempts` found since the last clear, and promises nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_interruptible.attempts import AttemptView, Story
    from airflow_interruptible.core.history import History

_OFTEN = 2
_OUT_OF_MEMORY = frozenset({"MemoryError"})


def next_steps(story: Story) -> list[str]:
    """Return what can be done, nothing where nothing has gone wrong."""
    if story.history is None:
        return []
    attempts = [attempt for attempt in story.attempts if attempt.attempt > story.history.base]
    return [*_own_errors(attempts), *_interruptions(attempts, story.history), *_settings(attempts, story.history)]


def _own_errors(attempts: Sequence[AttemptView]) -> Iterator[str]:
    own = [attempt for attempt in attempts if attempt.cause is Cause.APPLICATION]
    if not own:
        return
    last = own[-1]
    kind = (last.error or "").partition(":")[0]
    if kind in _OUT_OF_MEMORY:
        yield f"Attempt {last.attempt} ran out of memory: give the task more of it. Another attempt needs as much."
    elif len(own) >= _OFTEN and len({attempt.error for attempt in own}) == 1 and last.error:
        yield f"The same error ended {len(own)} attempts: read the log of attempt {last.attempt}, and change the task."
    else:
        yield f"Attempt {last.attempt} failed by its own error: its log says more."


def _interruptions(attempts: Sequence[AttemptView], history: History) -> Iterator[str]:
    reclaimed = [attempt for attempt in attempts if attempt.cause is Cause.SPOT_INTERRUPTION]
    if len(reclaimed) >= _OFTEN:
        if not any(attempt.checkpoint for attempt in attempts):
            yield "Save a checkpoint() now and then, so that the next attempt goes on where this one was taken away."
        yield from _zone(reclaimed, attempts)
    if history.account.system_retries_left == 0 and any(attempt.charge is Charge.SYSTEM for attempt in attempts):
        spent = history.account.budget.system_retries
        yield f"All {spent} system retries are spent: raise system_retries if it is usual, or say interruptible=False."
    if any(attempt.cause is Cause.NO_CAPACITY for attempt in attempts):
        yield "Spot capacity could not be had: allow more instance types or zones, or set interruptible=False for now."
    lost = [attempt for attempt in attempts if attempt.cause is Cause.INFRASTRUCTURE]
    if len(lost) >= _OFTEN:
        yield "The platform lost it again and again: whoever runs the cluster can tell from the nodes below."


def _zone(reclaimed: Sequence[AttemptView], attempts: Sequence[AttemptView]) -> Iterator[str]:
    """Advise against a zone that took all of them away, if another one has left the task in peace."""
    zones = Counter(str(attempt.where["zone"]) for attempt in reclaimed if attempt.where.get("zone"))
    spared = {str(attempt.where["zone"]) for attempt in attempts if attempt.where.get("zone")} - set(zones)
    if len(zones) == 1 and zones.total() == len(reclaimed) and spared:
        yield f"Zone {next(iter(zones))} took it away each time, {', '.join(sorted(spared))} did not: leave that zone."


def _settings(attempts: Sequence[AttemptView], history: History) -> Iterator[str]:
    never = not any(attempt.capacity is CapacityType.SPOT for attempt in attempts)
    if history.interruptible and history.account.budget.user_retries == 0 and never:
        yield "It never runs on spot: with retries=0 every attempt is the last, hence on demand. Set retries=1 or more."

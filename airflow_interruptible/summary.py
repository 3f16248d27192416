# SPDX-License-Identifier: Apache-2.0
"""What happened to a task instance, in one plain sentence.

Pure: it says what :mod:`airflow_interruptible.attempts` found, and decides nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_interruptible.core.cause import Cause, Charge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_interruptible.attempts import AttemptView, Story

_RUNNING = frozenset({"running", "restarting"})
_AWAY = {
    "deferred": "now deferred, on no machine",
    "up_for_reschedule": "now waiting to look again, on no machine",
    "awaiting_input": "now waiting for somebody's input, on no machine",
}
_QUEUED = frozenset({"scheduled", "queued"})

_LOST = {
    Cause.SPOT_INTERRUPTION: "interrupted {times}",
    Cause.INFRASTRUCTURE: "lost by the platform {times}",
    Cause.NO_CAPACITY: "without spot capacity {times}",
}
_OWN = {
    Cause.APPLICATION: "failed {times} by its own error",
    Cause.UNKNOWN: "failed {times} for no known reason",
}


def summary(story: Story) -> str:
    """Return the sentence.

    Only attempts since the last clear are told, as only they count.
    """
    if story.history is None:
        return "This task is not interruptible, and nobody counts its attempts: Airflow's own retries apply."
    attempts = [attempt for attempt in story.attempts if attempt.attempt > story.history.base]
    parts = [*_failures(attempts), *_left(story), *_now(story, attempts), *_wanting(story)]
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _failures(attempts: Sequence[AttemptView]) -> Iterator[str]:
    lost = [attempt for attempt in attempts if attempt.cause in _LOST]
    causes = Counter(attempt.cause for attempt in lost)
    words = [_of_cause(cause, lost) for cause in _LOST if causes[cause]]
    if words:
        forgiven = sum(attempt.charge is Charge.SYSTEM for attempt in lost)
        yield f"{_listed(words)}, {_forgiven(forgiven, len(lost))}"
    for cause, phrase in _OWN.items():
        if count := sum(attempt.cause is cause for attempt in attempts):
            yield phrase.format(times=_times(count))


def _of_cause(cause: Cause, lost: Sequence[AttemptView]) -> str:
    of_it = [attempt for attempt in lost if attempt.cause is cause]
    words = _LOST[cause].format(times=_times(len(of_it)))
    places = {_on(attempt) for attempt in of_it}
    if cause is Cause.NO_CAPACITY or len(places) > 1:
        return words
    return f"{words}{places.pop()}"


def _forgiven(count: int, of: int) -> str:
    if count == of:
        return {1: "forgiven", 2: "both forgiven"}.get(of, f"all {of} forgiven")
    if not count:
        return "not forgiven" if of == 1 else "none of them forgiven"
    return f"{count} of {of} forgiven"


def _left(story: Story) -> Iterator[str]:
    """Say what is left while it matters: not after the end, and not before anything has happened."""
    history = story.history
    if not story.live or history is None or not history.attempts:
        return
    account = history.account
    if account.exhausted:
        yield "no retries left"
    else:
        yield f"{account.user_retries_left} of {_retries(account.budget.user_retries)} left"


def _retries(count: int) -> str:
    return "1 retry" if count == 1 else f"{count} retries"


def _now(story: Story, attempts: Sequence[AttemptView]) -> Iterator[str]:
    if story.upcoming is not None:
        which = "the next attempt" if story.attempts else "no attempt yet, the first"
        goes = "goes" if story.placed else "would go"
        yield f"{which} {goes} {story.upcoming.capacity.phrase} since {story.upcoming.why}"
        return
    last = attempts[-1] if attempts else None
    if last is None:
        yield "no attempt yet" if story.live else f"no attempt was made, {story.state or 'no state'}"
    elif last.state in _RUNNING:
        yield f"now{_on(last) or ' running'}"
    elif last.state in _AWAY:
        yield _AWAY[last.state]
    elif last.state in _QUEUED:
        yield f"now waiting for a place{_on(last)}"
    elif last.cause is Cause.USER_ACTION:
        yield f"ended by a person in attempt {last.attempt}"
    else:
        yield f"{_ended(story.state)}{_on(last)} in attempt {last.attempt}"


def _ended(state: str | None) -> str:
    return {"success": "succeeded", "failed": "failed", "skipped": "skipped"}.get(state or "", state or "no state")


def _on(attempt: AttemptView) -> str:
    """Where it ran, which is nothing to speak of where nobody placed it."""
    return f" {attempt.capacity.phrase}" if attempt.capacity is not None and attempt.placed else ""


def _wanting(story: Story) -> Iterator[str]:
    """Say what keeps an interruptible task from spot for good, and what to write."""
    if story.history is None or not story.history.interruptible:
        return
    if not story.history.account.budget.user_retries:
        yield "never on spot with retries=0: set retries to 1 or more"
    if not story.placed:
        yield "nothing is moved, as compute is none"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

# SPDX-License-Identifier: Apache-2.0
"""What an author's ``on_retry_callback`` and ``on_failure_callback`` may ask: why an attempt ended, and who paid.

Answered from the task's own process, where the verdict was made, so nothing is requested. The surprising fact: after a
death that nobody reported, Airflow runs the callbacks in the Dag processor, which has neither the verdict nor a way to
read the ledger: it must not even ask, since a request that it does not know is never answered there.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.worker.notes import known_notes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_interruptible.core.verdict import AttemptVerdict

log = logging.getLogger(__name__)


def verdict_of(context: Mapping[str, Any]) -> AttemptVerdict | None:
    """Return the verdict on the attempt that a callback is about: its cause, its charge, a reason, and if forgiven.

    ::

        def page(context):
            verdict = verdict_of(context)
            if verdict is None or not verdict.forgiven:
                ...

    :param context: what Airflow gave to the callback.
    :return: None, with a line in the log, where it is not known: the attempt ended without a word and the callback
        runs in the Dag processor, or the task is not annotated.
    """
    ti = context.get("ti")
    notes = None if ti is None else known_notes(ti)
    if notes is not None and notes.verdict is not None:
        return notes.verdict
    log.info(
        "Why this attempt ended is not known here: it was not judged in this process. See the ledger, or: "
        "airflow interruptible attempts"
    )
    return None


class UnlessForgiven:
    """A callback that stays silent about forgiven attempts; see :func:`unless_forgiven`."""

    def __init__(self, callback: Callable[[Any], object]) -> None:
        self.callback = callback
        self.__name__ = f"unless_forgiven({getattr(callback, '__name__', type(callback).__name__)})"

    def __call__(self, context: Any) -> None:
        """Call the callback, unless the attempt was forgiven."""
        verdict = verdict_of(context)
        if verdict is not None and verdict.forgiven:
            log.info("%s has nothing to say: %s", self.__name__, verdict.reason)
            return
        self.callback(context)


def unless_forgiven(callback: Callable[[Any], object]) -> UnlessForgiven:
    """Return ``callback`` as one that stays silent about interruptions and other failures that were forgiven.

    ::

        @task.interruptible(on_retry_callback=unless_forgiven(SlackNotifier(text="...")))

    Where the verdict is not known, see :func:`verdict_of`, the callback is called: rather one page too many.

    :param callback: a callback of Airflow's kind, ``callback(context)``, or a notifier.
    :raises ConfigurationError: it is neither.
    """
    if isinstance(callback, type) or not callable(callback):
        raise ConfigurationError(
            f"unless_forgiven() takes one callback or one notifier, got {callback!r}. Of a notifier, give an instance; "
            "of a list, wrap each: [unless_forgiven(each) for each in callbacks]."
        )
    return UnlessForgiven(callback)

# SPDX-License-Identifier: Apache-2.0
"""What this package raises.

::

    InterruptibleError                     everything below
    |-- ConfigurationError (ValueError)    a setting or argument is wrong; raised at parse time
    |-- LedgerError                        the stored history cannot be read
    |-- InterruptedOutside                 the machine is going away, and Airflow waits outside of execute
    `-- RetriesExhausted                   see airflow_interruptible.worker.attempt: fails the task at once
    Interrupted (BaseException)            the machine is going away; not an error of the task
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_interruptible.notices import Notice


class InterruptibleError(Exception):
    """Root of the errors of this package."""


class ConfigurationError(InterruptibleError, ValueError):
    """A setting or an argument is wrong. The message says which, why, and what to write instead."""


class LedgerError(InterruptibleError):
    """The stored history of a task instance is not what this package wrote."""


class Interrupted(BaseException):
    """The machine under this attempt is going away.

    Raised inside ``execute`` when the worker is told to terminate. A ``BaseException``, so that ``except Exception`` in
    the author's code cannot swallow it; ``finally`` blocks run, and should be short.

    :ivar notice: what the cloud announced, None if a bare signal was all the warning there was.
    """

    notice: Notice | None = None


class InterruptedOutside(InterruptibleError):  # noqa: N818 - it is no more an error than Interrupted
    """The same, outside of ``execute``: what Airflow does there reports an ``Exception`` only.

    Charged as :class:`Interrupted` is.
    """


def is_interruption(error: BaseException | None) -> bool:
    """Whether an interruption is being handled, or what came of it."""
    while error is not None:
        if isinstance(error, Interrupted | InterruptedOutside):
            return True
        error = error.__context__
    return False

# SPDX-License-Identifier: Apache-2.0
"""A SIGTERM that came before Airflow had the operator to tell of it.

While Airflow resolves what a mapped task is to work on, its handler calls ``on_kill`` on an object that has none, and
the task fails with that ``AttributeError``. It is no error of the author's: the machine was told to stop. The name of
Airflow's handler is private to Airflow and known here only; where it is another one, such an error stays what it is.
"""

from __future__ import annotations

from traceback import walk_tb

from airflow_interruptible.exceptions import Interrupted

_MODULE, _HANDLER = "airflow.sdk.execution_time.task_runner", "_on_term"


def unmasked(error: BaseException) -> BaseException:
    """Return the interruption that ``error`` is, if Airflow's handler of SIGTERM raised it; else ``error`` itself."""
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code.co_name == _HANDLER and frame.f_globals.get("__name__") == _MODULE:
            return Interrupted("SIGTERM: the machine of this attempt was told to stop before the task began")
    return error

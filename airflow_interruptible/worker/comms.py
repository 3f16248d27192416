# SPDX-License-Identifier: Apache-2.0
"""Whether the task is in the middle of a request to its supervisor.

Responses carry no id that is checked (``airflow.sdk.execution_time.comms.CommsDecoder.send``), so an exception raised
between a request and its response would hand that response to the next request. The lock around both is private to
Airflow and touched here only; where it is missing, no request is ever thought to be under way.
"""

from __future__ import annotations

import sys


def request_under_way() -> bool:
    """Return whether some thread of this process has sent a request and not yet read its response."""
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    lock = getattr(getattr(task_runner, "SUPERVISOR_COMMS", None), "_thread_lock", None)
    return lock is not None and bool(lock.locked())

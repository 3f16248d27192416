# SPDX-License-Identifier: Apache-2.0
"""Whether the task is in the middle of a request to its supervisor.

Responses carry no id that is checked (``airflow.sdk.execution_time.comms.CommsDecoder``), so an exception raised
between a request and its response would hand that response to the next request; and a coroutine that is cancelled
there leaves a lock behind that nobody releases. What Airflow names these things is private to it and touched here only;
where it is missing, no request is ever thought to be under way.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from types import CodeType, FrameType

_RUNNER = "airflow.sdk.execution_time.task_runner"


class Requests:
    """The requests of this process to its supervisor, as they are found when an attempt begins."""

    def __init__(self) -> None:
        runner = sys.modules.get(_RUNNER)
        comms = getattr(runner, "SUPERVISOR_COMMS", None)
        self._send = _code_of(getattr(type(comms), "send", None))
        self._outcome = _code_of(getattr(runner, "_run_task_and_map_outcome", None))
        self._run = _code_of(getattr(runner, "run", None))
        self.coroutines: asyncio.Lock | None = getattr(comms, "_async_lock", None)
        """Held by a coroutine from before its request to after the response."""
        self.from_any_thread = comms is None or hasattr(comms, "_thread_lock")
        """Whether several threads may ask at once: not in ``dag.test()``, where there is no supervisor."""

    def under_way(self, frame: FrameType | None) -> bool:
        """Whether the thread that was interrupted in ``frame`` waits for a response."""
        return _in(frame, self._send)

    def of_coroutines(self) -> bool:
        """Whether a coroutine waits for a response."""
        return self.coroutines is not None and self.coroutines.locked()

    def outcome_is_open(self, frame: FrameType | None) -> bool:
        """Whether Airflow, interrupted in ``frame``, would still take an exception for the task's failure."""
        return _in(frame, self._outcome)

    def reporting(self, frame: FrameType | None) -> bool:
        """Whether Airflow, interrupted in ``frame``, has not yet reported how the task ended."""
        return _in(frame, self._run)


def _code_of(function: object) -> CodeType | None:
    return getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)


def _in(frame: Any, code: CodeType | None) -> bool:
    while frame is not None and code is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False

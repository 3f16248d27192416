# SPDX-License-Identifier: Apache-2.0
"""From Airflow 3.4 on, the supervisor keeps SIGTERM to itself: pass it on to a task that is interruptible.

Airflow 3.3 forwards SIGTERM and SIGINT to the task's process. 3.4 "shuts down warmly": it logs the signal and lets the
task finish (``airflow.sdk.execution_time.coordinator._warm_shutdown_signals``), so on a machine that goes a task would
work on, unaware, until it is killed. No other task is told anything: the process of an interruptible attempt writes its
pid into memory that it shares with its supervisor, and the supervisor signals that pid and nobody else.

The name is private to Airflow and touched here only. Where it is missing, as in 3.3, nothing is done. A task process
that is not forked but started anew (``[core] execute_tasks_new_python_interpreter``) shares no memory and is not told.
"""

from __future__ import annotations

import importlib.abc
import logging
import os
import signal
import struct
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType

log = logging.getLogger(__name__)

_MODULE = "airflow.sdk.execution_time.coordinator"
_NAME = "_warm_shutdown_signals"

_INT = struct.Struct("=i")
_PID, _SIGNAL = 0, _INT.size  # where the attempt's process is written down, and the signal that came


class _Shared:
    """What a supervisor and the process that it forks for one task say to each other."""

    def __init__(self) -> None:
        import mmap  # in a supervisor only

        self.supervisor = os.getpid()
        self._memory = mmap.mmap(-1, 2 * _INT.size)

    def pass_on(self, signum: int) -> None:
        """Signal the attempt, in the supervisor; before there is one, remember the signal."""
        _INT.pack_into(self._memory, _SIGNAL, signum)
        (pid,) = _INT.unpack_from(self._memory, _PID)
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signum)

    def begin(self) -> bool:
        """Say which process is the attempt's, in that; return whether a signal has come already."""
        _INT.pack_into(self._memory, _PID, os.getpid())
        return bool(_INT.unpack_from(self._memory, _SIGNAL)[0])

    def end(self) -> None:
        """The attempt's outcome is decided."""
        _INT.pack_into(self._memory, _PID, 0)


_shared: _Shared | None = None


def begin() -> bool:
    """Have the signals of this process's supervisor from here on; return whether one has come before."""
    return _shared is not None and os.getppid() == _shared.supervisor and _shared.begin()


def end() -> None:
    """Have them no more."""
    if _shared is not None and os.getppid() == _shared.supervisor:
        _shared.end()


def install() -> None:
    """Wrap Airflow's handlers in this process: now, or when it loads them."""
    module = sys.modules.get(_MODULE)
    if module is not None:
        _wrap(module)
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _wrap(module: ModuleType) -> None:
    airflow_s = getattr(module, _NAME, None)
    if callable(airflow_s) and not hasattr(airflow_s, "passes_on"):
        wrapped: Any = _passing_on(airflow_s)
        wrapped.passes_on = True
        setattr(module, _NAME, wrapped)


def _passing_on(
    airflow_s: Callable[[], AbstractContextManager[None]],
) -> Callable[[], AbstractContextManager[None]]:
    @contextmanager
    def warm_shutdown_signals() -> Iterator[None]:
        global _shared  # noqa: PLW0603 - a supervisor has one task at a time, whose process inherits this
        with airflow_s():
            try:
                _shared = _Shared()
                for signum in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(signum, _handler(_shared, signal.getsignal(signum)))
            except Exception:
                log.warning("A task that is interruptible will not hear its supervisor's signals.", exc_info=True)
            try:
                yield
            finally:
                _shared = None

    return warm_shutdown_signals


def _handler(shared: _Shared, airflow_s: Any) -> Callable[[int, FrameType | None], None]:
    def handler(signum: int, frame: FrameType | None) -> None:
        if os.getpid() == shared.supervisor:
            shared.pass_on(signum)
        if callable(airflow_s):
            airflow_s(signum, frame)

    return handler


class _Finder(importlib.abc.MetaPathFinder):
    """Waits for Airflow's module: a process that supervises no task never loads it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find that module as others do, and have it wrapped once it is loaded."""
        if name != _MODULE:
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    loader: Any = spec.loader
                    loader.exec_module = _then_wrap(loader.exec_module)
                return spec
        return None


def _then_wrap(load: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def exec_module(module: ModuleType) -> None:
        load(module)
        _wrap(module)

    return exec_module

# SPDX-License-Identifier: Apache-2.0
"""The signals that tell a process to stop, heard whoever handles them.

A task may install a handler of its own, as Lightning, Ray, Scrapy and every ``loop.add_signal_handler`` do: Python has
one handler for each signal, and ours would be gone. So while a task runs, what it installs is called from ours, and
what it asks for is what it would have found. What cannot be seen that way is seen in C: Python writes every signal that
it receives to a file descriptor (``signal.set_wakeup_fd``), even while the main thread is busy in a library.

A forked child has no attempt: it gets the task's own handlers, or Python's. Airflow's would let its children
ignore SIGTERM, and ``multiprocessing.Pool`` would wait for them for ever.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

WATCHED: Final = (signal.SIGTERM, signal.SIGINT)
"""Airflow's supervisor forwards both."""

_Handler: TypeAlias = Any
"""What ``signal.signal`` takes: a function, SIG_DFL or SIG_IGN."""

_signal, _getsignal = signal.signal, signal.getsignal

_DEFAULTS: Final[dict[int, _Handler]] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}

_installed: Handlers | None = None


class Handlers:
    """Our handlers of this process: installed for one attempt, by its main thread.

    :param heard: called as the handler, in the main thread, with nothing else done.
    """

    def __init__(self, heard: Callable[[int, FrameType | None], None]) -> None:
        self._heard = heard
        self._before: dict[int, _Handler] = {}
        self._own: dict[int, _Handler] = {}
        self._patches: tuple[Any, Any] = (self._install_own, self._tell_own)
        self._handler = self._handle
        self._pid = os.getpid()
        self._pipe: tuple[int, int] | None = None

    def install(self) -> bool:
        """Install them, in place of those of an earlier attempt; False outside the main thread, where it cannot be."""
        global _installed  # noqa: PLW0603 - a process has one handler for each signal
        if threading.current_thread() is not threading.main_thread():
            return False
        if _installed is not None:
            _installed.close()
        before = {signum: _getsignal(signum) for signum in WATCHED}
        self._before = {n: handler for n, handler in before.items() if callable(handler) or n == signal.SIGTERM}
        _installed = self
        _watch_forks()
        signal.signal, signal.getsignal = self._patches
        for signum in self._before:
            _signal(signum, self._handler)
        return True

    def wake(self) -> int | None:
        """Return a descriptor that can be read when a signal arrived, even one whose handler is not ours.

        None if there is none to be had, or another one is in use.
        """
        try:
            self._pipe = reader, writer = os.pipe()
            os.set_blocking(writer, False)
            other = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        except (OSError, ValueError):
            return None
        if other != -1:
            signal.set_wakeup_fd(other)
        return reader

    def poke(self) -> None:
        """Make that descriptor readable. Safe in a handler and in any thread."""
        if self._pipe is not None:
            with suppress(OSError):
                os.write(self._pipe[1], b"\0")

    def own(self, signum: int) -> _Handler | None:
        """Return the handler that the task has installed, None if it has none."""
        handler = self._own.get(signum)
        return None if handler in (None, signal.SIG_DFL, self._before.get(signum)) else handler

    @property
    def installed(self) -> bool:
        """Whether they are this process's."""
        return _installed is self

    def in_place(self, signum: int) -> bool:
        """Whether the handler is ours. Somebody may have kept ``signal.signal`` from before."""
        return bool(_getsignal(signum) == self._handler)

    def before(self, signum: int) -> _Handler:
        """Return what handled the signal before the attempt: Airflow, most often."""
        return self._before.get(signum)

    def unwrap(self) -> None:
        """Let ``signal.signal`` be Python's again: the task's code has been left."""
        if (signal.signal, signal.getsignal) == self._patches:
            signal.signal, signal.getsignal = _signal, _getsignal

    def close(self) -> None:
        """Give back what was there before, or what the task has put there."""
        global _installed  # noqa: PLW0603
        if _installed is not self:
            return
        self.unwrap()
        for signum in self._before:
            if self.in_place(signum):
                _signal(signum, self._seen(signum))
        self.forget_pipe()
        _installed = None

    def in_child(self) -> None:
        """Leave a forked child alone with the handlers of the task."""
        self.unwrap()
        for signum in self._before:
            if self.in_place(signum):
                own = self.own(signum)
                _signal(signum, _DEFAULTS[signum] if own is None else own)
        self.sleep()

    def sleep(self) -> None:
        """Take :meth:`wake` back, where nobody reads."""
        if self._pipe is not None:
            reader = self._pipe[0]
            self.forget_pipe()
            os.close(reader)

    def forget_pipe(self) -> None:
        """Write no more into the pipe. Its reader is closed by whoever waits for it."""
        if self._pipe is None:
            return
        writer, self._pipe = self._pipe[1], None
        other = signal.set_wakeup_fd(-1)
        if other not in (-1, writer):
            signal.set_wakeup_fd(other)
        os.close(writer)

    def _seen(self, signum: int) -> _Handler:
        return self._own.get(signum, self._before[signum])

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self._heard(signum, frame)

    def _install_own(self, signum: int, handler: _Handler) -> _Handler:
        """Stand for ``signal.signal``."""
        if signum not in self._before or os.getpid() != self._pid:
            return _signal(signum, handler)
        seen = self._seen(signum)
        _signal(signum, handler)  # which refuses what it always refuses
        self._own[signum] = handler
        _signal(signum, self._handler)
        return seen

    def _tell_own(self, signum: int) -> _Handler:
        """Stand for ``signal.getsignal``."""
        return self._seen(signum) if signum in self._before else _getsignal(signum)


_forks_watched = False
_masks = threading.local()


def _watch_forks() -> None:
    global _forks_watched  # noqa: PLW0603 - it cannot be taken back
    if not _forks_watched:
        _forks_watched = True
        os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)


def _before_fork() -> None:
    """Hold back the signals of the child until it has its own handlers: those of ours tell its parent."""
    if _installed is not None:
        _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)


def _after_fork() -> None:
    mask = _masks.__dict__.pop("before", None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _in_child() -> None:
    global _installed
    handlers, _installed = _installed, None
    try:
        if handlers is not None:
            handlers.in_child()
    finally:
        _after_fork()

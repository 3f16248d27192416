# SPDX-License-Identifier: Apache-2.0
"""An attempt that is told to stop, as its process does it: in the order of :mod:`airflow_interruptible.core.stopping`.

Two drive it. The signal handler, in the main thread: it takes note, stops the operator's work and raises, and does no
I/O, since the code that it interrupts may hold any lock. And the keeper, a thread that sleeps until the first signal:
it has it written down, waits for the work, and signals the main thread again when there is something to do. Where no
thread can be started, the handler does without.

Interruptions are raised as :class:`Interrupted` in ``execute``. Outside of it, where Airflow goes on with the task (it
waits there for the run of a TriggerDagRunOperator), they must be an ``Exception`` for Airflow to report them.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from airflow_interruptible.core.stopping import AGAIN_SECONDS, Phase, Step, Stopping
from airflow_interruptible.exceptions import Interrupted, InterruptedOutside, is_interruption
from airflow_interruptible.worker.comms import Requests
from airflow_interruptible.worker.coroutines import Coroutines, running_loop
from airflow_interruptible.worker.signals import WATCHED, Handlers
from airflow_interruptible.worker.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 15.0
"""How long the work may take to end when nobody said how long the machine lives. Kubernetes grants 30 s by default, of
which a callback may take 5 more."""

ERROR_SECONDS: Final = 2.0
"""How long an error that was on its way out when the signal came may take to get there: then it stays what it is."""

SHORTEST_SECONDS: Final = 1.0

_POLL_SECONDS: Final = 0.01
_LONGEST_POLL_SECONDS: Final = 0.32

_OURS, _NUDGE = "ours", "nudge"
"""Signals that this process sends itself: as a notice would be, and to have the next step done."""


class Stop:
    """Whether one attempt is told to stop, and what follows.

    :param task: the operator. ``on_kill()`` stops its work, and ``interruptible_wait_until_stopped(deadline)``, if it
        has one, returns when that has ended, or at the deadline (``time.monotonic()``); it is called in a thread.
    :param write_down: called once, in a thread, as soon as it is told.
    """

    def __init__(self, task: Any, write_down: Callable[[], object]) -> None:
        self.state = Stopping()
        self.told_at: float | None = None
        self.closed = True  # before it has begun, and once the outcome is decided, signals are Airflow's alone
        self._on_its_way: BaseException | None = None
        self._task = task
        self._write_down = write_down
        self._requests = Requests()
        self._handlers = Handlers(self._hear)
        self._work = Work(task)
        self._returned = True
        self._met = False
        self._driving = threading.Lock()
        self._sending = threading.Lock()
        self._sent: deque[str] = deque()
        self._on_kill = deque([True])
        self._woken: int | None = None
        self._keeper: threading.Thread | None = None
        self._coroutines = Coroutines(self._requests.coroutines)

    # -- the attempt

    def begin(self) -> None:
        """Listen from here on. Outside the main thread, where Python allows no handler, nothing is heard."""
        installed, self.closed = self._handlers.install(), False
        if not installed:
            return
        self._woken = self._handlers.wake()
        if self._woken is not None:
            keeper = threading.Thread(target=self._keep, args=(self._woken,), name="interruptible-keeper", daemon=True)
            try:
                keeper.start()
            except RuntimeError:
                log.warning("No thread can be started, so an interruption is written down at the end of the attempt.")
                self._handlers.sleep()
            else:
                self._keeper = keeper

    @property
    def told(self) -> bool:
        """Whether the attempt was told to stop."""
        return self.state.told

    def spares(self, error: BaseException | None) -> bool:
        """Whether ``error`` is the author's all the same: it was on its way out before."""
        return error is not None and error is self._on_its_way

    def leave(self, error: BaseException | None = None) -> None:
        """The task's code has been left, by ``error`` or by a return. Nothing is raised in it any more."""
        if self.state.outside:
            return
        self._returned = error is None
        if signal.SIGTERM in signal.sigpending():  # the task keeps it from being delivered
            self._note(time.monotonic() + GRACE_SECONDS, 0)
        unstopped = self.state.leave()
        self._handlers.unwrap()
        if unstopped:
            self._stop_the_work()

    def finish(self) -> None:
        """Wait until the work has ended, within the deadline, and end what is left of it."""
        with self._driving:  # on_kill() may still be under way in the keeper
            latest = max(self.state.deadline, time.monotonic() + SHORTEST_SECONDS)
        self._work.end(latest)

    def close(self) -> None:
        """Listen no more: the outcome is decided."""
        with self._sending:
            self.closed = True
        if self.told:  # one more signal must not keep Airflow from reporting it
            self._handlers.forget_pipe()
        else:
            self._handlers.close()

    def may_kill(self) -> bool:
        """Whether ``on_kill()`` may go on to the operator's own: once it is told to stop, for the first caller only."""
        if not self.told:
            return True
        try:
            return self._on_kill.pop()
        except IndexError:
            return False

    # -- being told

    def tell(self, deadline: float | None, *, wait: bool) -> None:
        """A notice was heard, in some thread.

        :param deadline: seconds from now until the machine goes, less a reserve; None if nobody said.
        :param wait: go on with the work until :meth:`signal`.
        """
        now = time.monotonic()
        latest = now + (GRACE_SECONDS if deadline is None else max(SHORTEST_SECONDS, deadline))
        self._note(latest, latest if wait else now)

    def signal(self) -> None:
        """End the attempt now: the way every other end is announced, to handlers of the task's own as well."""
        with self._sending:
            if not self.closed and self._handlers.installed:
                self._sent.append(_OURS)
                os.kill(os.getpid(), signal.SIGTERM)

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal, in the main thread."""
        sent = self._sent.popleft() if self._sent else None
        own = self._handlers.own(signum)
        if self.closed or (self.state.outside and not self._requests.outcome_is_open(frame)):
            if sent is None and not (self.told and self._requests.reporting(frame)):
                self._hand_on(signum, frame, own)
            return
        if sent != _NUDGE:
            self._tell(own, from_outside=sent is None)
            if callable(own):
                own(signum, frame)
        self._drive(frame)

    def _hand_on(self, signum: int, frame: FrameType | None, own: Any) -> None:
        handler = self._handlers.before(signum) if own is None else own
        if callable(handler):
            handler(signum, frame)

    def _tell(self, own: object, *, from_outside: bool = True) -> None:
        now = time.monotonic()
        error = sys.exc_info()[1]
        if not self._met:
            self._met, self._on_its_way = True, error
        deadline = now + GRACE_SECONDS if from_outside else self.state.deadline
        if own is not None or (self.state.outside and self._returned):
            patience = deadline
        else:
            patience = now + ERROR_SECONDS if self._on_its_way is not None else now
        self._note(deadline, patience)

    def _note(self, deadline: float, patience: float) -> None:
        if self.told_at is None:
            self.told_at = time.time()
        self._task.interruptible_told = True
        self.state.tell(deadline, patience)
        self._handlers.poke()

    # -- the steps

    def _drive(self, frame: FrameType | None) -> None:
        """Do what is to be done in the main thread."""
        if self._advance(lambda: self._step(frame)) is Step.RAISE:
            self._raise(frame)

    def _advance(self, look: Callable[[], Step]) -> Step:
        """Do what is to be done but raise. Entered again, by a further signal or the other thread, it does nothing."""
        if not self._driving.acquire(blocking=False):
            return Step.GO_ON
        try:
            while (step := look()) is Step.STOP_THE_WORK:
                self._stop_the_work()
                self.state.stopped()
            return step
        finally:
            self._driving.release()

    def _step(self, frame: FrameType | None) -> Step:
        busy, unwinding, loop = self._requests.under_way(frame), is_interruption(sys.exc_info()[1]), running_loop()
        if loop is not None:
            first = not self._coroutines.told and self.state.phase is not Phase.TOLD  # coroutines are cancelled first
            busy = busy or (not first and self._requests.of_coroutines())
            unwinding = unwinding or self._coroutines.clean_up(loop)
        return self.state.step(time.monotonic(), busy=busy, unwinding=unwinding, ended=self._work.ended)

    def _stop_the_work(self) -> None:
        """Stop what the operator has started. Where nobody else waits for it, wait for it here."""
        self._work.stop()
        if self._keeper is None:
            self._work.wait(self.state.deadline)
        elif not self._work.lives:
            self._work.ended = True

    def _raise(self, frame: FrameType | None) -> None:
        loop = running_loop()
        if loop is not None and not self._coroutines.told:
            self._coroutines.cancel(loop)
        elif not self.state.outside:
            raise Interrupted("the machine of this attempt was told to stop") from self._work.failed
        elif self._requests.outcome_is_open(frame):
            raise InterruptedOutside("the machine of this attempt was told to stop outside of execute")

    # -- the keeper

    def _keep(self, woken: int) -> None:
        try:
            if self._wait_until_told(woken):
                self._see_to_the_end(woken)
            while os.read(woken, 4096):
                pass  # until the writer is closed, who must find a reader
        except Exception:
            log.warning("An interruption could not be seen to its end.", exc_info=True)
        finally:
            os.close(woken)

    def _wait_until_told(self, woken: int) -> bool:
        """Sleep until there is a signal. Its handler may have to wait for a library, or be somebody else's."""
        while (received := os.read(woken, 4096)) and not self.closed:
            if not self.told and any(signum in received for signum in WATCHED) and self._is_open():
                now = time.monotonic()
                self._note(now + GRACE_SECONDS, now + GRACE_SECONDS)
            if self.told:
                return True
        return False

    def _is_open(self) -> bool:
        main = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - documented
        return not self.state.outside or self._requests.outcome_is_open(main)

    def _see_to_the_end(self, woken: int) -> None:
        if self._requests.from_any_thread:
            threading.Thread(target=self._write_down, name="interruptible-told", daemon=True).start()
        pause = _POLL_SECONDS
        while not self.closed and self.state.phase is not Phase.LEFT:
            if self.state.phase is Phase.TOLD and self._requests.of_coroutines():
                self._advance(self._first_step)  # on_kill() may ask, too: in another thread than theirs
            if self.state.phase is Phase.WAITING:
                self._work.wait(self.state.deadline)
            patient = self.state.patience - time.monotonic() if self.state.phase is Phase.TOLD else 0
            if patient <= 0:
                self._nudge()
                pause = AGAIN_SECONDS if self.state.phase is Phase.RAISING else min(2 * pause, _LONGEST_POLL_SECONDS)
            if select.select([woken], [], [], max(pause, patient))[0] and not os.read(woken, 4096):
                return

    def _first_step(self) -> Step:
        if self.state.phase is not Phase.TOLD:
            return Step.GO_ON
        return self.state.step(time.monotonic(), busy=False, unwinding=False, ended=False)

    def _nudge(self) -> None:
        """Have the next step done in the main thread."""
        with self._sending:
            if not self.closed and self.state.phase is not Phase.LEFT and self._handlers.in_place(signal.SIGTERM):
                self._sent.append(_NUDGE)
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

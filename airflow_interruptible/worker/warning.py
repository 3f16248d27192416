# SPDX-License-Identifier: Apache-2.0
"""What happens between the announcement of an interruption and the end of the attempt: the author is told, in time.

A notice of the cloud comes 15 seconds to two minutes ahead and is heard in a thread of its own; a bare signal is
known only when the code has already stopped. Either way the author's callback runs once, and no longer than the
machine lives: a callback that raises or hangs cannot keep the attempt from ending as interrupted.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_interruptible.worker.fate import SIGNAL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_interruptible.notices import Notice, Watcher
    from airflow_interruptible.worker.entry import Entry
    from airflow_interruptible.worker.stopping import Stop

log = logging.getLogger(__name__)

RESERVE_SECONDS = 8.0
"""Kept back from the time before the deadline: for ``finally`` blocks, and for the report to the API server."""

UNKNOWN_SECONDS = 5.0
"""How long a callback may take when nobody said how long the machine lives. Kubernetes grants 30 s by default."""

SHORTEST_SECONDS = 1.0

NOTICE_IN_CONTEXT = "interruption_notice"
"""Where callbacks find the notice in their context, and templates of notifiers: ``{{ interruption_notice }}``."""

_PLACE = ("zone", "instance_type")


def allowance(notice: Notice) -> float:
    """Return how many seconds the author's callback may take."""
    left = notice.seconds_left()
    return UNKNOWN_SECONDS if left is None else max(SHORTEST_SECONDS, left - RESERVE_SECONDS)


@dataclass
class Announcement:
    """What was announced during one attempt, and whether the author knows.

    :param callbacks: the author's ``on_interruption_callback``.
    """

    callbacks: Sequence[Callable[..., object]]
    context: Context
    notice: Notice | None = None
    _called: threading.Event | None = field(default=None, repr=False)
    _telling: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def tell(self, notice: Notice) -> None:
        """Run the author's callbacks, once, and wait for them no longer than :func:`allowance`."""
        with self._telling:
            if self.notice is None:
                self.notice = notice
                log.warning("Interruption announced: %s", notice)
                self._call_back(notice)
        self.wait(allowance(notice))

    def _call_back(self, notice: Notice) -> None:
        if not self.callbacks:
            return
        called = self._called = threading.Event()  # before they begin: a signal may come while the first one runs
        arguments = (notice, called)
        try:
            threading.Thread(target=self._call_all, args=arguments, name="interruption-callback", daemon=True).start()
        except RuntimeError:  # no thread can be started: the author is told all the same
            self._call_all(*arguments)

    def wait(self, limit: float) -> None:
        """Wait up to ``limit`` seconds for callbacks that run."""
        if self._called is not None and not self._called.wait(limit):
            log.warning("on_interruption_callback has not returned within %.0f s; the attempt ends without it.", limit)

    def _call_all(self, notice: Notice, called: threading.Event) -> None:
        context = {**self.context, NOTICE_IN_CONTEXT: notice}
        try:
            for callback in self.callbacks:
                _call(callback, context, notice)
        finally:
            called.set()


def _call(callback: Callable[..., object], context: Mapping[str, Any], notice: Notice) -> None:
    from airflow.sdk.bases.notifier import BaseNotifier

    try:
        if isinstance(callback, BaseNotifier):
            callback(context)
        else:
            callback(context, notice)
    except Exception:
        log.warning("on_interruption_callback failed; the attempt ends as interrupted all the same.", exc_info=True)


class Listener:
    """Listens to the cloud's metadata service, and ends the attempt after a notice.

    It is loaded and started in a thread, so that the task's start does not wait for it.

    :param entry: what the service says goes there: an announcement, and which machine this is.
    """

    def __init__(self, announcement: Announcement, entry: Entry, stop: Stop) -> None:
        self._announcement = announcement
        self._entry = entry
        self._stop = stop
        self._lock = threading.Lock()
        self._stopped = False
        self._watcher: Watcher | None = None

    def start(self) -> None:
        """Begin to listen, in the background."""
        try:
            threading.Thread(target=self._start, name="interruption-listener", daemon=True).start()
        except RuntimeError as error:
            log.warning("No interruption notices: %s", error)

    def stop(self) -> None:
        """Listen no more. A notice that was heard goes its way."""
        with self._lock:
            self._stopped = True
            if self._watcher is not None:
                self._watcher.stop()

    def _start(self) -> None:
        from airflow_interruptible.notices import Watcher, default_sources

        with self._lock:
            if not self._stopped:
                on_place = None if self._entry.knows(_PLACE) else self._placed
                self._watcher = Watcher(default_sources(), self._heard, on_place)
                self._watcher.start()

    def _placed(self, place: Mapping[str, str]) -> None:
        # In a thread of its own: a server that hangs must not keep a notice from being heard.
        threading.Thread(target=self._entry.placed, args=(place,), name="interruption-entry", daemon=True).start()

    def _heard(self, notice: Notice) -> None:
        """Tell the author first, then the code: a callback has the time until the deadline."""
        self._entry.heard(notice)
        left = notice.seconds_left()
        self._stop.tell(None if left is None else left - RESERVE_SECONDS, wait=bool(self._announcement.callbacks))
        self._announcement.tell(notice)
        self._stop.signal()


def signalled() -> Notice:
    """Return the notice that a bare signal amounts to: the machine goes, nobody said when."""
    from airflow_interruptible.notices import Notice, NoticeKind
    from airflow_interruptible.notices.notice import utc_now

    return Notice(SIGNAL, NoticeKind.TERMINATE, deadline=None, detected=utc_now())

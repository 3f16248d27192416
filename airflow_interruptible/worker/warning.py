# SPDX-License-Identifier: Apache-2.0
"""What happens between the announcement of an interruption and the end of the attempt: the author is told, in time.

A notice of the cloud comes 15 seconds to two minutes ahead and is heard in a thread of its own; a bare signal is
known only when the code has already stopped. Either way the author's callback runs once, and no longer than the
machine lives: a callback that raises or hangs cannot keep the attempt from ending as interrupted.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_interruptible.worker.fate import SIGNAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_interruptible.notices import Notice, Watcher
    from airflow_interruptible.worker.entry import Entry

log = logging.getLogger(__name__)

RESERVE_SECONDS = 8.0
"""Kept back from the time before the deadline: for ``finally`` blocks, and for the report to the API server."""

UNKNOWN_SECONDS = 5.0
"""How long a callback may take when nobody said how long the machine lives. Kubernetes grants 30 s by default."""

SHORTEST_SECONDS = 1.0

SETTLE_SECONDS = 2.0
"""How long the signal that ends the attempt may take to reach the author's code before anything else is done."""

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
    _told: threading.Event = field(default_factory=threading.Event, repr=False)

    def tell(self, notice: Notice) -> None:
        """Run the author's callbacks, once, and wait for them no longer than :func:`allowance`."""
        if self._told.is_set():
            return
        self._told.set()
        self.notice = notice
        log.warning("Interruption announced: %s", notice)
        if not self.callbacks:
            return
        limit = allowance(notice)
        thread = threading.Thread(target=self._call_all, args=(notice,), name="interruption-callback", daemon=True)
        thread.start()
        thread.join(limit)
        if thread.is_alive():
            log.warning("on_interruption_callback has not returned within %.0f s; the attempt ends without it.", limit)

    def _call_all(self, notice: Notice) -> None:
        context = {**self.context, NOTICE_IN_CONTEXT: notice}
        for callback in self.callbacks:
            _call(callback, context, notice)


def _call(callback: Callable[..., object], context: Mapping[str, Any], notice: Notice) -> None:
    from airflow.sdk.bases.notifier import BaseNotifier

    try:
        if isinstance(callback, BaseNotifier):
            callback(context)
        else:
            callback(context, notice)
    except Exception:
        log.warning("on_interruption_callback failed; the attempt ends as interrupted all the same.", exc_info=True)


@contextmanager
def listening(announcement: Announcement, entry: Entry, *, enabled: bool) -> Iterator[None]:
    """Listen to the cloud's metadata service inside the ``with`` block, and end the attempt after a notice.

    The listener is loaded and started in a thread, so that the task's start does not wait for it.

    :param entry: what else the service says goes there: which machine this is.
    """
    if not enabled:
        yield
        return
    listener = _Listener(announcement, entry)
    threading.Thread(target=listener.start, name="interruption-listener", daemon=True).start()
    try:
        yield
    finally:
        listener.stop()


class _Listener:
    def __init__(self, announcement: Announcement, entry: Entry) -> None:
        self._announcement = announcement
        self._entry = entry
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._watcher: Watcher | None = None

    def start(self) -> None:
        from airflow_interruptible.notices import Watcher, default_sources

        with self._lock:
            if not self._stopped.is_set():
                on_place = None if self._entry.knows(_PLACE) else self._placed
                self._watcher = Watcher(default_sources(), self._heard, on_place)
                self._watcher.start()

    def stop(self) -> None:
        with self._lock:
            self._stopped.set()
            if self._watcher is not None:
                self._watcher.stop()

    def _placed(self, place: Mapping[str, str]) -> None:
        # In a thread of its own: a server that hangs must not keep a notice from being heard.
        threading.Thread(target=self._entry.placed, args=(place,), name="interruption-entry", daemon=True).start()

    def _heard(self, notice: Notice) -> None:
        self._entry.heard(notice)
        self._announcement.tell(notice)
        if self._stopped.is_set():
            return
        os.kill(os.getpid(), signal.SIGTERM)  # the way every other end is announced, on_kill included
        # The signal waits for a request under way, so there must be none; whoever ends the attempt writes it all down.
        if not self._stopped.wait(SETTLE_SECONDS):
            self._entry.write()


def signalled() -> Notice:
    """Return the notice that a bare signal amounts to: the machine goes, nobody said when."""
    from airflow_interruptible.notices import Notice, NoticeKind
    from airflow_interruptible.notices.notice import utc_now

    return Notice(SIGNAL, NoticeKind.TERMINATE, deadline=None, detected=utc_now())

# SPDX-License-Identifier: Apache-2.0
"""Watches the metadata services from the task process and tells of the first notice, once.

Decides who is listened to, and that nothing here can hurt a task: all work, the probing too, is done in daemon threads;
where no service answers they end within about two seconds and leave one debug line each. Must not know Airflow
or what a notice means. The surprising fact: threads do not survive a fork but sockets do, so a stop() in a forked child
would cut the parent's connection; it does nothing there.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from airflow_interruptible.notices.azure import AzureSource
from airflow_interruptible.notices.ec2 import Ec2Source
from airflow_interruptible.notices.gce import GceSource
from airflow_interruptible.notices.http import Failure, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

    from airflow_interruptible.notices.notice import Notice
    from airflow_interruptible.notices.source import Source

log = logging.getLogger(__name__)

T = TypeVar("T")

PROBES = 3
"""How often a service that is there but ailing is probed. One that is not there is probed once."""

PLACE_PROBES = 2
"""As often it is asked which machine this is: nobody listens for a notice until that is over."""

PROBE_PAUSE_SECONDS = 1.0

_PASSING = frozenset({Failure.BUSY, Failure.SILENT})
"""At boot, in maintenance and while the machine stalls, a service that is there has no answer for a moment."""


def default_sources(environ: Mapping[str, str] | None = None) -> tuple[Source, ...]:
    """Return the services of EC2, GCE and Azure, as the environment (default: ``os.environ``) points to them.

    Never raises: an endpoint that is no URL is left out with a warning.
    """
    env = os.environ if environ is None else environ
    sources: list[Source] = []
    for source_type in (Ec2Source, GceSource, AzureSource):
        try:
            source = source_type.from_env(env)
        except ValueError as error:
            log.warning(
                "No interruption notices from %s: its endpoint variable is wrong: %s", source_type.provider, error
            )
            continue
        if source is not None:
            sources.append(source)
    return tuple(sources)


class Watcher:
    """Calls ``on_notice`` with the first notice of any source, in a watcher thread, at most once.

    ``on_place``, if given, is called before that, with what a source that is there says of the machine: ``zone``,
    ``instance_type``, ``region``. It should return at once.

    One watcher serves one attempt, and must be started in the process that runs it. Nothing it does raises. What
    ``on_notice`` raises is logged; while it runs the notice counts as delivered, and :meth:`stop` does not wait for it.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        on_notice: Callable[[Notice], None],
        on_place: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._on_notice = on_notice
        self._on_place = on_place
        self._stop = threading.Event()
        # One ticket: whoever takes it first, a notice or stop(), has decided. Lock-free, for signal handlers.
        self._ticket = deque([True])
        self._threads: list[threading.Thread] = []
        self._pid: int | None = None

    def start(self) -> None:
        """Begin to watch, in the background; returns at once. Does nothing a second time, or after :meth:`stop`."""
        if self._pid is not None or not self._ticket:
            return
        self._pid = os.getpid()
        for source in self._sources:
            name = f"interruptible-notices-{source.provider}"
            thread = threading.Thread(target=self._watch, args=(source,), name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                log.warning("No interruption notices from %s: %s", source.provider, error)
                continue
            self._threads.append(thread)

    def stop(self) -> None:
        """End the watch at once, without waiting for the threads. From here on ``on_notice`` does not begin.

        Safe from any thread, from a signal handler of the main thread, and more than once.
        """
        self._take_ticket()
        self._end()

    def join(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for the threads to end; return whether they have."""
        deadline = time.monotonic() + timeout
        others = [thread for thread in self._threads if thread is not threading.current_thread()]
        for thread in others:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in others)

    @property
    def active(self) -> bool:
        """Whether any source is still watched or probed."""
        return any(thread.is_alive() for thread in self._threads)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _watch(self, source: Source) -> None:
        try:
            reclaimable = self._can_be_reclaimed(source)
            if reclaimable is not None:
                self._tell_place(source)
            notice = source.wait(self._stop) if reclaimable else None
        except Exception as error:  # noqa: BLE001 - a fault of ours must never reach the task
            # Only the type: a text or a traceback could show what was read.
            log.warning("No more interruption notices from %s: %s", source.provider, type(error).__name__)
            return
        if notice is not None and self._take_ticket():
            self._deliver(notice)

    def _can_be_reclaimed(self, source: Source) -> bool | None:
        """Probe. None: nothing of that vendor is there."""
        try:
            found = self._ask(source.probe, PROBES)
        except NoAnswer as error:
            log.debug("No interruption notices from %s: %s", source.provider, error)
            return None
        log.debug("Interruption notices from %s: %s", source.provider, "watching" if found else "none to expect")
        return found

    def _ask(self, ask: Callable[[], T], probes: int) -> T:
        """Ask, and again if the service is there but ailing. May raise NoAnswer."""
        for attempt in range(1, probes):
            try:
                return ask()
            except NoAnswer as error:  # noqa: PERF203 - it is asked three times at most
                if error.failure not in _PASSING or self._stop.wait(PROBE_PAUSE_SECONDS * attempt):
                    raise
        return ask()

    def _tell_place(self, source: Source) -> None:
        if self._on_place is None or self._stop.is_set():
            return
        try:
            place = self._ask(source.place, PLACE_PROBES)
        except NoAnswer as error:
            log.debug("Which machine this is cannot be told by %s: %s", source.provider, error)
            return
        if place:
            self._on_place(place)

    def _deliver(self, notice: Notice) -> None:
        self._end()
        log.warning("Interruption notice: %s", notice)
        try:
            self._on_notice(notice)
        except Exception:
            log.exception("Handling the interruption notice failed")

    def _take_ticket(self) -> bool:
        try:
            return self._ticket.pop()
        except IndexError:
            return False

    def _end(self) -> None:
        if self._pid != os.getpid():
            return
        self._pid = 0  # nothing to end twice: a signal handler may call stop() inside stop()
        self._stop.set()
        for source in self._sources:
            source.cancel()

# SPDX-License-Identifier: Apache-2.0
"""The attempts of the ledgers that this process has read, so that it reads each version of a ledger once.

A page asks for the same hundred thousand attempts again and again, and few of them have changed. What there is, and
in which version, is asked for anew when the last answer is some seconds old; then only other versions are read. A
ledger that is gone is forgotten. What nobody asked for, being older, is not read at all.

One thread reads, the latest first, and whoever asks waits for it as long as they like. So a page never waits for more
than it wants to, however much there is.
"""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.report import rows
from airflow_interruptible.report.entry import entries
from airflow_interruptible.report.filters import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.orm import Session

    from airflow_interruptible.report.entry import Entry, Row
    from airflow_interruptible.report.rows import Version

    OpenSession = Callable[[], AbstractContextManager[Session]]
    Progress = Callable[[int, int], None]
    """Told how many ledgers of how many have been read."""

    Kept = dict[int, tuple[Version, list[Entry]]]
    """What is known of each ledger, by its id."""

    Prints = dict[int, tuple[Any, ...]]
    """See :func:`.rows.fingerprints`."""

FRESH = 5.0
"""How old what is known may be, in seconds, before the database is asked again: pages opened together share one."""

STALE = 30.0
"""How old it may be, in seconds, before somebody in a hurry waits for the database rather than take it as it is."""

_PAUSE = 0.001
"""How long the reading thread lets others run after each batch, in seconds. Python runs one thread at a time and would
let them wait five times as long, at each of the many steps of a request of theirs."""

LIMIT = 200_000
"""So many ledgers are kept, the latest: some 200 MB, in an API server where that many tasks are interruptible."""


@dataclass(frozen=True)
class Known:
    """Attempts, in no order.

    :param complete: whether all of them have been read.
    :param truncated: whether there were more ledgers than are kept.
    """

    entries: Sequence[Entry] = ()
    complete: bool = True
    truncated: bool = False


@dataclass
class _Reading:
    """What the thread does now, or did last."""

    since: float
    began: float
    done: Future[None]


@dataclass
class Memory:
    """What one process remembers. Safe to be asked from several threads.

    :param fresh: see :data:`FRESH`.
    :param stale: see :data:`STALE`.
    :param limit: how many ledgers are kept.
    """

    fresh: float = FRESH
    stale: float = STALE
    limit: int = LIMIT
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: ThreadPoolExecutor | None = None
    _reading: _Reading | None = None
    _kept: Kept = field(default_factory=dict)
    _prints: Prints = field(default_factory=dict)
    _known: Known = field(default_factory=Known)
    _since: float = math.inf
    _as_of: float = -math.inf
    _so_far: list[Entry] = field(default_factory=list)

    def entries(
        self,
        open_session: OpenSession,
        since: datetime,
        patience: float | None = None,
        progress: Progress | None = None,
    ) -> Known:
        """Return all attempts that may have ended after ``since``, and some that ended before.

        :param open_session: called if the database has to be asked, in another thread.
        :param patience: how many seconds to wait at most, None for as long as it takes.
        """
        since = _day(since)
        with self._lock:
            reading = self._reading = self._ask(open_session, since, progress)
        hurry = patience is not None and self._since <= since.timestamp()
        if hurry and time.monotonic() - self._as_of < self.stale:
            return self._known
        wait([reading.done], patience)
        if not reading.done.done():
            return Known(max(list(self._so_far), self._known.entries, key=len), complete=False)
        reading.done.result()
        return self._known

    def _ask(self, open_session: OpenSession, since: datetime, progress: Progress | None) -> _Reading:
        """Return the reading that answers the question: the last one, or one that begins now."""
        moment, now, last = since.timestamp(), time.monotonic(), self._reading
        failed = last is not None and last.done.done() and last.done.exception() is not None
        if last is not None and not failed and last.since <= moment:
            if not last.done.done() or now - last.began <= self.fresh:
                return last
            return self._begin(last.since, now, lambda: self._read_again(open_session))
        return self._begin(moment, now, lambda: self._read(open_session, since, progress))

    def _begin(self, since: float, now: float, read: Callable[[], None]) -> _Reading:
        if self._thread is None:  # not before: a process may fork until it is asked something
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="interruptible-report")
        return _Reading(since, now, self._thread.submit(read))

    def _read(self, open_session: OpenSession, since: datetime, progress: Progress | None) -> None:
        """Read what there is, but for what is known: of that, what has changed."""
        until = None
        if self._since < math.inf:
            self._read_again(open_session)
            until = datetime.fromtimestamp(self._since, timezone.utc)
        kept: Kept = dict(self._kept)
        self._so_far, began = list(self._known.entries), time.monotonic()
        with open_session() as session:
            prints = self._prints if until else rows.fingerprints(session)
            for batch in rows.since(session, since, max(0, self.limit - len(kept)), until):
                more = _read(batch)
                kept.update(more)
                for _, of_row in more.values():
                    self._so_far += of_row
                if progress is not None:
                    progress(len(kept), _count(prints))
        self._keep(kept, prints, began)
        # Not before: who asks meanwhile would take what was known for all there is.
        self._since = min(self._since, since.timestamp())

    def _read_again(self, open_session: OpenSession) -> None:
        """Read what has changed, and forget what is gone."""
        began = time.monotonic()
        with open_session() as session:
            prints = rows.fingerprints(session)
            changed = [
                number
                for number in prints.keys() | self._prints.keys()
                if prints.get(number) != self._prints.get(number)
            ]
            if not changed:
                self._as_of = began
                return
            if _count(prints) > self.limit:
                kept, present = {}, rows.versions(session, self.limit)
            else:
                others = frozenset(changed)
                kept = {key: old for key, old in self._kept.items() if key // rows.THOUSAND not in others}
                present = rows.versions(session, self.limit, changed)
            self._compare(session, present, kept)
        self._keep(kept, prints, began)

    def _compare(self, session: Session, present: Sequence[Version], kept: Kept) -> None:
        """Add to ``kept`` the ledgers that are ``present``, and read those that are not known in this version."""
        unknown = []
        for version in present:
            old = self._kept.get(version[0])
            if old is not None and old[0] == version:
                kept[version[0]] = old
            elif rows.later(version, self._since):
                unknown.append(version[0])
        for batch in rows.some(session, unknown):
            kept.update(_read(batch))

    def _keep(self, kept: Kept, prints: Prints, began: float) -> None:
        truncated = _count(prints) > self.limit and len(kept) >= self.limit
        self._kept, self._prints = kept, prints
        self._known = Known([entry for _, of_row in kept.values() for entry in of_row], truncated=truncated)
        self._so_far, self._as_of = [], began


def _day(moment: datetime) -> datetime:
    """Return the beginning of its day, or of time if it is more than a year ago.

    Each older moment that is asked for costs a reading of everything later, so there must not be many of them.
    """
    if datetime.now(timezone.utc) - moment > LONGEST:
        return datetime.fromtimestamp(0, timezone.utc)
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _count(prints: Prints) -> int:
    return sum(count for count, *_ in prints.values())


def _read(batch: Sequence[Row]) -> Kept:
    time.sleep(_PAUSE)
    return {row.id: (row[: rows.LENGTH], entries(row)) for row in batch}


MEMORY = Memory()
"""What this process remembers."""

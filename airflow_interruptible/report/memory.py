# SPDX-License-Identifier: Apache-2.0
"""The attempts of the ledgers that this process has read, so that it reads each version of a ledger once.

A page asks for the same hundred thousand attempts again and again, and few of them have changed. What there is, and
in which version, is asked for anew when the last answer is some seconds old; then only other versions are read. A
ledger that is gone is forgotten. What nobody asked for, being older, is not read at all.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_interruptible.report.entry import entries
from airflow_interruptible.report.rows import rows, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.orm import Session

    from airflow_interruptible.report.entry import Entry
    from airflow_interruptible.report.rows import Version

    OpenSession = Callable[[], AbstractContextManager[Session]]
    Progress = Callable[[int, int], None]
    """Told how many ledgers of how many have been read."""

FRESH = 5.0
"""How old an answer may be, in seconds: pages that are opened together share one."""

LIMIT = 200_000
"""So many ledgers are kept, the latest: some 150 MB, in an API server whose task instances all are interruptible."""


@dataclass(frozen=True)
class Known:
    """Attempts, in no order.

    :param truncated: whether there were more ledgers than are kept.
    """

    entries: Sequence[Entry] = ()
    truncated: bool = False


@dataclass
class Memory:
    """What one process remembers. Safe to be asked from several threads: one reads, the others wait for it."""

    fresh: float = FRESH
    limit: int = LIMIT
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: dict[int, tuple[Version, list[Entry]]] = field(default_factory=dict)
    _known: Known = field(default_factory=Known)
    _since: float = float("inf")
    _asked: float = float("-inf")

    def entries(
        self,
        open_session: OpenSession,
        since: float,
        progress: Progress | None = None,
    ) -> Known:
        """Return all attempts that may have ended after ``since``, and some that ended before.

        :param open_session: called if the database has to be asked; the session is closed afterwards.
        :param since: seconds since 1970.
        """
        with self._lock:
            if since < self._since or time.monotonic() - self._asked > self.fresh:
                with open_session() as session:
                    self._read(session, min(since, self._since), progress)
            return self._known

    def _read(self, session: Session, since: float, progress: Progress | None) -> None:
        asked = time.monotonic()
        present = versions(session, self.limit + 1)
        truncated = len(present) > self.limit
        wanted = {version.id: version for version in present[: self.limit] if version.touched() >= since}
        kept = {number: old for number, old in self._kept.items() if number in wanted and old[0] == wanted[number]}
        missing = [number for number in wanted if number not in kept]
        done = 0
        for batch in rows(session, missing):
            for row in batch:
                kept[row.id] = (wanted[row.id], entries(row))
            done += len(batch)
            if progress is not None:
                progress(done, len(missing))
        self._kept, self._since, self._asked = kept, since, asked
        self._known = Known([entry for _, of_row in kept.values() for entry in of_row], truncated)


MEMORY = Memory()
"""What this process remembers."""

# SPDX-License-Identifier: Apache-2.0
"""The attempts of the ledgers that this process has read, so that it reads each version of a ledger once.

A page asks for the same hundred thousand attempts again and again, and few of them have changed. What there is, and
in which version, is asked for anew when the last answer is some seconds old; then only other versions are read. A
ledger that is gone is forgotten. What nobody asked for, being older, is not read at all.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_interruptible.report import rows
from airflow_interruptible.report.entry import entries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy.orm import Session

    from airflow_interruptible.report.entry import Entry, Row
    from airflow_interruptible.report.rows import Version

    OpenSession = Callable[[], AbstractContextManager[Session]]
    Progress = Callable[[int, int], None]
    """Told how many ledgers of how many have been read."""

FRESH = 5.0
"""How old an answer may be, in seconds: pages that are opened together share one."""

LIMIT = 200_000
"""So many ledgers are kept, the latest: some 200 MB, in an API server where that many tasks are interruptible."""


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
    _since: float = math.inf
    _asked: float = -math.inf

    def entries(self, open_session: OpenSession, since: datetime, progress: Progress | None = None) -> Known:
        """Return all attempts that may have ended after ``since``, and some that ended before.

        :param open_session: called if the database has to be asked.
        """
        moment = since.timestamp()
        with self._lock:
            asked = time.monotonic()
            if moment < self._since:
                with open_session() as session:
                    self._read(session, since, progress)
                self._since, self._asked = moment, asked
            elif asked - self._asked > self.fresh:
                with open_session() as session:
                    self._read_again(session)
                self._asked = asked
            return self._known

    def _read(self, session: Session, since: datetime, progress: Progress | None) -> None:
        """Read what there is, as if nothing were known."""
        total = rows.count(session) if progress is not None else 0
        kept: dict[int, tuple[Version, list[Entry]]] = {}
        for batch in rows.since(session, since, self.limit + 1):
            kept.update(_read(batch))
            if progress is not None:
                progress(len(kept), total)
        self._keep(kept, truncated=len(kept) > self.limit)

    def _read_again(self, session: Session) -> None:
        """Read what has changed, and forget what is gone."""
        kept, changed = {}, []
        present = rows.versions(session, self.limit + 1)
        for version in present[: self.limit]:
            old = self._kept.get(version[0])
            if old is not None and old[0] == version:
                kept[version[0]] = old
            elif rows.later(version, self._since):
                changed.append(version[0])
        for batch in rows.some(session, changed):
            kept.update(_read(batch))
        self._keep(kept, truncated=len(present) > self.limit)

    def _keep(self, kept: dict[int, tuple[Version, list[Entry]]], *, truncated: bool) -> None:
        self._kept = kept
        self._known = Known([entry for _, of_row in kept.values() for entry in of_row], truncated)


def _read(batch: Sequence[Row]) -> dict[int, tuple[Version, list[Entry]]]:
    return {row.id: (row[: rows.LENGTH], entries(row)) for row in batch}


MEMORY = Memory()
"""What this process remembers."""

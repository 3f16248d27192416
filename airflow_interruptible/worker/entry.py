# SPDX-License-Identifier: Apache-2.0
"""This attempt's entry in the ledger while it runs: written again when there is something new to say, and not else.

Written by a thread, where the machine is found out or an announcement was heard; and after a success, if there was an
announcement or a checkpoint. A failure writes the entry anyway, notes included.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.worker.book import now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.ledger import Record
    from airflow_interruptible.notices import Notice
    from airflow_interruptible.worker.book import Book
    from airflow_interruptible.worker.notes import Notes

log = logging.getLogger(__name__)


@dataclass
class Entry:
    """The entry of the attempt that runs as ``ti``. Nothing here raises.

    :param book: None until the attempt has begun, and where the history cannot be read.
    """

    ti: Any
    notes: Notes
    book: Book | None = None
    _closed: bool = False
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def begun(self, book: Book) -> None:
        """Write into ``book`` from here on."""
        self.book = book
        self.notes.keep = self._keep_after_success

    def knows(self, names: tuple[str, ...]) -> bool:
        """Whether all of these whereabouts are written down already."""
        written = self.notes.written
        return written is not None and all(written.where.get(name) for name in names)

    def placed(self, place: Mapping[str, str]) -> None:
        """Note where the machine is, and write it down: an attempt that vanishes cannot do it later."""
        self.notes.place = dict(place)
        self.write()

    def heard(self, notice: Notice) -> None:
        """Note an announcement, and count it; see :meth:`write`."""
        self.notes.heard(notice)
        if self.book is not None:
            self.book.metrics.noticed(notice.provider, self.book.placement.capacity)

    def told(self, at: float) -> None:
        """Write down that the attempt was told to stop, in seconds since the epoch: it may not live to report it."""
        self.notes.told = datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")
        self.write()

    def write(self) -> None:
        """Write down what is new, unless the attempt has ended: then somebody else does."""
        with self._writing:
            if self.book is None or self._closed:
                return
            latest = self._latest(self.book)
            if self.notes.on(latest) != self.notes.written:
                self._write(self.book, latest)

    def leave(self) -> None:
        """Write down that the attempt leaves its machine, to go on later: until then it costs nothing."""
        self.notes.left = now()
        self.write()

    def close(self) -> None:
        """Write no more: the attempt has ended. Waits for a write under way."""
        with self._writing:
            self._closed = True

    def _keep_after_success(self) -> None:
        from airflow_interruptible.worker.success import after_success  # loads Airflow's listeners

        after_success(self.ti.id, "entry", self._finish)

    def _finish(self) -> None:
        """Write down an attempt that has succeeded."""
        if self.book is None:
            return
        if self.notes.notice is not None:
            self.book.metrics.false_alarm(self.notes.notice["provider"], None, self.book.placement.capacity)
        self._write(self.book, replace(self._latest(self.book), ended=now()))

    def _latest(self, book: Book) -> Record:
        return self.notes.written or book.starting_record()

    def _write(self, book: Book, record: Record) -> None:
        try:
            now_open = book.reopened()
            now_open.write(record, now_open.history)
        except LedgerError:
            self.book = None  # whoever judges this attempt says so; what cannot be read is not written over
        except Exception:
            log.warning("What became known of this attempt cannot be written into its history.", exc_info=True)

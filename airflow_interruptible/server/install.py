# SPDX-License-Identifier: Apache-2.0
"""Watch what the scheduler and the API server are about to write.

SQLAlchemy's session event is the one point that sees every end of an attempt in the transaction that records it. An
error in here must never fail that transaction, nor be repeated in the log for every task.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)


class _Observer:
    """Passes every flush on, until Airflow turns out to be one that we do not know."""

    def __init__(self) -> None:
        self.active = True
        self.installed = False

    def before_flush(self, session: Session, _context: Any, _instances: Any) -> None:
        """Place the next attempts of the task instances that this flush ends."""
        if not self.active or not (session.new or session.dirty):
            return
        from airflow_interruptible.server.events import place_next_attempts
        from airflow_interruptible.server.seam import SeamChangedError

        try:
            self.active = _wanted()
            if self.active:
                with session.no_autoflush:
                    place_next_attempts(session)
        except SeamChangedError as error:
            self.active = False
            log.warning(
                "airflow-interruptible does not know this version of Airflow (%s), so attempts stay where their first "
                "one was placed. Both budgets still hold. Look for a newer airflow-interruptible.",
                error,
            )
        except Exception:
            log.warning("An attempt could not be placed; it stays where the last one was.", exc_info=True)


def _wanted() -> bool:
    from airflow_interruptible.settings import get_settings

    try:
        return get_settings().session_events
    except ConfigurationError as error:
        log.warning("%s Until then, attempts stay where their first one was placed.", error)
        return False


observer = _Observer()


def install() -> None:
    """Watch every session of this process, once."""
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    if not observer.installed:  # not event.contains: it forgets what it knows when sessions are collected
        event.listen(Session, "before_flush", observer.before_flush)
        observer.installed = True

# SPDX-License-Identifier: Apache-2.0
"""Watch what the scheduler and the API server are about to write.

SQLAlchemy's session events are the one point that sees every end of an attempt in the transaction that records it. An
error in here must never fail that transaction. Most sessions of the world are not Airflow's: of those, nothing but the
classes of their rows is looked at.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

_WATCHED = frozenset({"TaskInstance", "TaskInstanceHistory", "DagRun", "Log", "Job"})

_RUNS = "airflow_interruptible.runs"
"""In ``Session.info``: runs whose tasks Airflow goes over in this transaction."""


class _Observer:
    """Passes every flush on, until Airflow turns out to be one that we do not know."""

    def __init__(self) -> None:
        self.active = True
        self.installed = False

    def before_flush(self, session: Session, _context: Any, _instances: Any) -> None:
        """Place the next attempts of the task instances that this flush concerns."""
        if not self.active:
            return
        new = [row for row in session.new if is_watched(row)]
        dirty = [row for row in session.dirty if is_watched(row)]
        if new or dirty:
            self._observe(session, lambda events: events.place_next_attempts(session, new, dirty))

    def before_commit(self, session: Session) -> None:
        """Place the first attempts of tasks that were added to a run in this transaction."""
        if self.active and (runs := session.info.pop(_RUNS, None)):
            self._observe(session, lambda events: events.place_waiting(session, runs))

    def reconciled(self, task_instance: Any) -> None:
        """Take notice of a run whose tasks Airflow goes over, by one of its task instances."""
        run = vars(task_instance).get("dag_run")
        if run is None or "interruptible" not in (vars(run).get("conf") or {}):
            return
        from sqlalchemy.orm import object_session

        session = object_session(run)
        if session is not None and run not in (runs := session.info.setdefault(_RUNS, [])):
            runs.append(run)

    def _observe(self, session: Session, look: Callable[[Any], None]) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        from airflow_interruptible.server.complaints import complaints
        from airflow_interruptible.server.seam import SeamChangedError

        try:
            from airflow_interruptible.server import events

            self.active = _wanted()
            if self.active:
                with session.no_autoflush:
                    look(events)
        except SeamChangedError as error:
            self.active = False
            log.warning(
                "%s Until then, attempts stay where their first one was placed. Both budgets still hold.", error
            )
        except SQLAlchemyError:
            raise  # every statement of ours stands in a savepoint: what that could not undo, Airflow has to know
        except Exception as error:  # noqa: BLE001 - nothing of ours may fail what Airflow does
            complaints.tell("An attempt could not be placed; it stays where the last one was.", error)


def is_watched(row: object) -> bool:
    """Whether a row is one of those that matter. Only its class is asked: a row of the author's may run their code."""
    kind = type(row)
    return kind.__name__ in _WATCHED and kind.__module__.startswith("airflow.")


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
        event.listen(Session, "before_commit", observer.before_commit)
        observer.installed = True

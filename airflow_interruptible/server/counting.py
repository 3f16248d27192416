# SPDX-License-Identifier: Apache-2.0
"""Count what a transaction writes once it is committed: what is rolled back has not happened, and is done again.

Sessions of Airflow's are short-lived, or say when they begin anew; a session that has nothing of ours in it is not
listened to.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

_WAITING = "airflow_interruptible.waiting"


def after_commit(session: Session, call: Callable[[], None]) -> None:
    """Call ``call`` once the transaction of ``session`` is committed; never, if it is rolled back."""
    from sqlalchemy import event

    waiting = session.info.get(_WAITING)
    if waiting is None:
        waiting = session.info[_WAITING] = []
        event.listen(session, "after_commit", _call)
        event.listen(session, "after_rollback", _forget)
    waiting.append(call)


def _call(session: Session) -> None:
    if session.in_nested_transaction():
        return  # a savepoint is released, which commits nothing
    waiting, session.info[_WAITING] = session.info[_WAITING], []
    for call in waiting:
        try:
            call()
        except Exception:  # noqa: PERF203 - the transaction is over, and must not look as if it had failed
            log.debug("What was committed could not be counted.", exc_info=True)


def _forget(session: Session) -> None:
    session.info[_WAITING] = []

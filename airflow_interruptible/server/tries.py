# SPDX-License-Identifier: Apache-2.0
"""The tries of a task instance as Airflow's metadata database holds them, and its ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.verdict import cause_in
from airflow_interruptible.core.witness import Row
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import KEY, Ledger
from airflow_interruptible.marker import Marker
from airflow_interruptible.server import seam, state_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

_REFERENCE = "__airflow_"


_UP_FOR_RETRY = "up_for_retry"


@dataclass(frozen=True)
class Try:
    """One row of Airflow's about one try.

    :param start: None if no worker took it up. Airflow's column then still tells of the try before.
    :param reason: its ``retry_reason``.
    """

    number: int
    state: str | None
    start: datetime | None
    end: datetime | None
    hostname: str | None
    marker: Marker | None
    reason: str | None = None

    @property
    def seen(self) -> Row:
        """What it tells of how the try ended."""
        return Row(began=self.start is not None, reason=self.reason)


@dataclass(frozen=True)
class TaskInstanceTries:
    """All that is known of a task instance: its tries, oldest first, and its ledger.

    :param ledger: empty also if it is kept where only workers can read it.
    :param blind: whether it is, so that the server places attempts without it.
    :param max_tries: Airflow's column.
    :param conf: the run's conf.
    :param state: Airflow's, of the task instance now.
    :param live: whether something may still happen to it.
    :param waiting: whether its next attempt has no row yet.
    :param marker: of the task instance now, also when it has had no try yet.
    :param retry_at: when Airflow will start its next attempt, None if it waits for none, or not by the clock.
    """

    tries: Sequence[Try]
    ledger: Ledger
    max_tries: int
    conf: dict[str, Any]
    state: str | None = None
    live: bool = True
    waiting: bool = False
    marker: Marker | None = None
    retry_at: datetime | None = None
    blind: bool = False


def read(session: Session, key: seam.Key) -> TaskInstanceTries | None:
    """Return what the database holds about a task instance, None if there is none.

    :raises LedgerError: its ledger cannot be read.
    """
    ti = seam.find(session, key)
    if ti is None:
        return None
    past = seam.ended_tries(session, ti)
    to_come = seam.is_to_come(ti, past)
    rows = {row.try_number: row for row in past if row.try_number > 0}
    if not to_come:
        rows[ti.try_number] = ti
    document = _document(session, ti)
    blind = kept_elsewhere(document)
    state, run = seam.text_of(ti.state), ti.dag_run
    live = state not in seam.FINISHED and seam.text_of(run.state) in seam.UNFINISHED_RUN
    return TaskInstanceTries(
        tries=_tries(rows),
        ledger=Ledger() if blind else Ledger.from_json(document),
        max_tries=ti.max_tries,
        conf=dict(run.conf or {}),
        state=state,
        live=live,
        waiting=live and to_come,
        marker=Marker.from_config(ti.executor_config),
        retry_at=_retry_at(ti) if state == _UP_FOR_RETRY else None,
        blind=blind,
    )


def _retry_at(ti: Any) -> datetime | None:
    """Return when a retry is due whose delay was decided when the attempt ended, as one of ours always is."""
    delay = ti.retry_delay_override
    return None if delay is None or ti.end_date is None else ti.end_date + timedelta(seconds=float(delay))


def _document(session: Session, ti: Any) -> Any:
    try:
        return state_store.read_state(session, ti, KEY)
    except ValueError as error:
        raise LedgerError(
            f"The history under {KEY!r} in the task state store is not JSON that can be read ({error}). Somebody else "
            "wrote to it."
        ) from error


def kept_elsewhere(document: object) -> bool:
    """Whether this is only a reference, which a store of the workers' own ([workers] state_store_backend) left here.

    Whoever reads the database cannot follow it. ``_wrap_external_ref`` in Airflow's ``sdk/execution_time/context.py``.
    """
    return isinstance(document, dict) and len(document) == 1 and str(*document).startswith(_REFERENCE)


def _tries(rows: Mapping[int, Any]) -> list[Try]:
    """A try that never ran is a copy of the one before in what a worker would have written."""
    starts: set[datetime] = set()
    tries = []
    for number, row in sorted(rows.items()):
        tries.append(_try(number, row, began=row.start_date is not None and row.start_date not in starts))
        starts.add(row.start_date)
    return tries


def _try(number: int, row: Any, *, began: bool) -> Try:
    return Try(
        number,
        seam.text_of(row.state),
        row.start_date if began else None,
        row.end_date,
        row.hostname if began else None,
        Marker.from_config(row.executor_config),
        row.retry_reason if began or cause_in(row.retry_reason or "", number) else None,
    )

# SPDX-License-Identifier: Apache-2.0
"""The ledgers of all task instances, read from the metadata database.

Who asks again reads only what has changed: first a few numbers for each thousand ledgers, then the versions of those in
the thousands that are not as they were, then the ledgers that are in another version. Columns are read instead of
objects, and times as the driver gives them: Airflow's models would cost several times what the rest does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.ledger import KEY
from airflow_interruptible.report.entry import Row, since_1970
from airflow_interruptible.report.recovery import Try
from airflow_interruptible.server import seam, state_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

Version = tuple[Any, ...]
"""The first columns of a :class:`.Row`. Any change to a ledger or to its task instance changes one of them."""

LENGTH = Row._fields.index("dag_id")
"""How many of a row's columns are its version."""

THOUSAND = 1000
"""How many neighbouring ids share one fingerprint."""

_BATCH = 100
"""So many at once: few enough that Python's garbage collector does not look for what is freed in a moment."""


def kept_since(now: float) -> float | None:
    """Return from when on Airflow keeps what was written, as seconds since 1970; None if it keeps everything."""
    from airflow.configuration import conf

    days = conf.getint("state_store", "default_retention_days", fallback=30)
    return now - days * 86_400 if days > 0 else None


def since(session: Session, moment: datetime, limit: int, until: datetime | None = None) -> Iterator[list[Row]]:
    """Return the ledgers that may tell of something later than ``moment``, the latest first, in batches.

    :param until: only those that tell of nothing later than this.
    """
    from sqlalchemy import and_, or_

    store, ti = state_store.stored_states(), seam.models().task_instance
    later = or_(store.updated_at >= moment, ti.end_date >= moment, ti.state.is_(None), ti.state.not_in(seam.FINISHED))
    question = _joined(_columns()).where(later).order_by(store.updated_at.desc()).limit(limit)
    if until is not None:
        over = or_(ti.end_date.is_(None), ti.end_date < until)
        question = question.where(and_(store.updated_at < until, over, ti.state.in_(seam.FINISHED)))
    found = session.execute(question, execution_options={"yield_per": _BATCH})
    for batch in found.partitions():
        yield [Row._make(values) for values in batch]


def fingerprints(session: Session) -> dict[int, tuple[Any, ...]]:
    """Return numbers, the first of them how many ledgers there are, that change with any ledger of a thousand.

    The last write alone would not do: it is dated by the clock of whichever host wrote.
    """
    from sqlalchemy import case, func

    store, ti = state_store.stored_states(), seam.models().task_instance
    thousand = store.id // THOUSAND
    numbers = [
        func.count(),
        func.max(store.updated_at),
        func.sum(_size(session, store.value)),
        func.sum(ti.try_number),
        func.count(ti.end_date),
        func.max(ti.end_date),
        func.sum(case((ti.state.in_(seam.FINISHED), 0), else_=1)),
    ]
    found = session.execute(_joined([thousand, *numbers]).group_by(thousand))
    return {number: tuple(rest) for number, *rest in found}


def _size(session: Session, text: Any) -> Any:
    """Return how long a text is, as the database knows without reading it: to count letters, it would have to."""
    from sqlalchemy import func

    of_sqlite = session.get_bind().dialect.name == "sqlite"  # which knows neither octet_length() nor a difference
    return func.length(text) if of_sqlite else func.octet_length(text)


def versions(session: Session, limit: int, thousands: Sequence[int] | None = None) -> Sequence[Version]:
    """Return the versions of ledgers, the latest first.

    :param thousands: only of these; None is all.
    """
    store = state_store.stored_states()
    question = _joined(_columns()[:LENGTH]).order_by(store.updated_at.desc()).limit(limit)
    if thousands is not None:
        question = question.where((store.id // THOUSAND).in_(thousands))
    return session.execute(question).all()


def later(version: Version, moment: float) -> bool:
    """Whether the ledger may tell of something later, as :func:`since` sees it."""
    of = Row(*version, *[""] * (len(Row._fields) - LENGTH))
    if of.state not in seam.FINISHED or since_1970(of.updated) >= moment:
        return True
    return of.end is not None and since_1970(of.end) >= moment


def some(session: Session, ids: Sequence[int]) -> Iterator[list[Row]]:
    """Return the ledgers with these ids, in batches."""
    store = state_store.stored_states()
    for first in range(0, len(ids), _BATCH):
        found = session.execute(_joined(_columns()).where(store.id.in_(ids[first : first + _BATCH])))
        yield [Row._make(values) for values in found]


def tries(session: Session, ids: Sequence[int]) -> dict[tuple[int, int], Try]:
    """Return the tries of the task instances that these ledgers are about, by ledger and number.

    Empty where Airflow no longer tells when a try was scheduled.
    """
    known = seam.models()
    found: dict[tuple[int, int], Try] = {}
    for model in {known.history, known.task_instance}:
        if not hasattr(model, "scheduled_dttm"):
            return {}
        columns = [state_store.stored_states().id, model.try_number]
        columns += [_moment(column) for column in (model.scheduled_dttm, model.start_date, model.end_date)]
        for first in range(0, len(ids), _BATCH):
            question = _joined_to(model, columns).where(columns[0].in_(ids[first : first + _BATCH]))
            for row_id, number, *moments in session.execute(question, execution_options={"include_all_attempts": True}):
                found[row_id, number] = Try(*(None if each is None else since_1970(each) for each in moments))
    return found


def of_run(session: Session, dag_id: str, run_id: str, limit: int) -> list[Row]:
    """Return the ledgers of one Dag run."""
    store = state_store.stored_states()
    question = _joined(_columns()).where(store.dag_id == dag_id, store.run_id == run_id).limit(limit)
    return [Row._make(values) for values in session.execute(question)]


def _columns() -> list[Any]:
    """The columns of a :class:`.Row`, in its order."""
    from sqlalchemy import String, type_coerce

    store, ti, run = state_store.stored_states(), seam.models().task_instance, seam.models().dag_run
    return [
        store.id,
        _moment(store.updated_at),
        type_coerce(ti.state, String()),
        ti.try_number,
        _moment(ti.end_date),
        store.dag_id,
        store.run_id,
        store.task_id,
        getattr(store, next(iter(state_store.stored_index()))),
        store.value,
        _moment(run.created_at),
    ]


def _moment(column: Any) -> Any:
    """A time as the driver gives it."""
    from sqlalchemy import DateTime, type_coerce

    return type_coerce(column, DateTime(timezone=True))


def _joined(columns: list[Any]) -> Any:
    from sqlalchemy import and_

    store, run = state_store.stored_states(), seam.models().dag_run
    of_run = and_(store.dag_id == run.dag_id, store.run_id == run.run_id)
    found = _joined_to(seam.models().task_instance, columns)
    return found.outerjoin(run, of_run) if len(columns) == len(Row._fields) else found


def _joined_to(model: Any, columns: list[Any]) -> Any:
    """Ask for ledgers, each with what a model of task instances says of the same one."""
    from sqlalchemy import and_, select

    store = state_store.stored_states()
    names = {name: name for name in ("dag_id", "run_id", "task_id")} | state_store.stored_index()
    same = and_(*(getattr(store, theirs) == getattr(model, own) for theirs, own in names.items()))
    return select(*columns).select_from(store).outerjoin(model, same).where(store.key == KEY)

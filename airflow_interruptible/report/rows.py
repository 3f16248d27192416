# SPDX-License-Identifier: Apache-2.0
"""The ledgers of all task instances, read from the metadata database.

Two questions, so that who asks again reads only what has changed: which ledgers there are, and in which version; and
what stands in some of them. Columns are read instead of objects, and times as the driver gives them: Airflow's models
would cost several times what the rest does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_interruptible.ledger import KEY
from airflow_interruptible.report.entry import Row, seconds
from airflow_interruptible.server import seam

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

_BATCH = 2000
"""So many at once: few queries, and no database minds the number of parameters."""


class Version(NamedTuple):
    """A ledger that there is. Any change to it or to its task instance changes this.

    :param touched: the last moment that anything in it tells of, infinite while the task instance is not finished.
    """

    id: int
    updated: Any
    state: str | None
    number: int | None
    end: Any

    def touched(self) -> float:
        """Return the last moment that it tells of; infinite while more may follow."""
        if self.state is not None and self.state not in seam.FINISHED:
            return float("inf")
        return max(seconds(self.updated) or 0.0, seconds(self.end) or 0.0)


def versions(session: Session, limit: int) -> list[Version]:
    """Return the ledgers that there are, the latest first, at most ``limit``."""
    store, ti = seam.stored_states(), seam.models().task_instance
    found = session.execute(
        _joined(
            [
                store.id,
                _as_read(store.updated_at),
                _as_text(ti.state),
                ti.try_number,
                _as_read(ti.end_date),
            ]
        )
        .order_by(store.updated_at.desc())
        .limit(limit)
    )
    return [Version(*row) for row in found]


def rows(session: Session, ids: Sequence[int]) -> Iterator[list[Row]]:
    """Return the ledgers with these ids, in batches."""
    store, ti = seam.stored_states(), seam.models().task_instance
    columns = [
        store.id,
        store.dag_id,
        store.run_id,
        store.task_id,
        store.map_index,
        store.value,
        _as_read(store.updated_at),
        _as_text(ti.state),
        ti.try_number,
        _as_read(ti.end_date),
    ]
    for first in range(0, len(ids), _BATCH):
        found = session.execute(_joined(columns).where(store.id.in_(ids[first : first + _BATCH])))
        yield [_row(*values) for values in found]


def _row(*values: Any) -> Row:
    *of_ledger, updated, state, number, end = values
    row_id, dag_id, run_id, task_id, map_index, document = of_ledger
    return Row(
        row_id, dag_id, run_id, task_id, map_index, document, seconds(updated) or 0.0, state, number, seconds(end)
    )


def _joined(columns: list[Any]) -> Any:
    from sqlalchemy import and_, select

    store, ti = seam.stored_states(), seam.models().task_instance
    same = and_(*(getattr(store, name) == getattr(ti, name) for name in ("dag_id", "run_id", "task_id", "map_index")))
    return select(*columns).select_from(store).outerjoin(ti, same).where(store.key == KEY)


def _as_read(column: Any) -> Any:
    """A time as the driver gives it, with an offset or in UTC."""
    from sqlalchemy import DateTime, type_coerce

    return type_coerce(column, DateTime(timezone=True))


def _as_text(column: Any) -> Any:
    from sqlalchemy import String, type_coerce

    return type_coerce(column, String())

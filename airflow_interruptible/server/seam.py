# SPDX-License-Identifier: Apache-2.0
"""Every private name of Airflow's metadata database that this package touches, and whether it is still there.

Airflow has no public hook between a natural retry and the next queueing, so its models are watched instead. They may
change in any release: what is missing is named, once, and then nothing of ours runs in that process.

There are two layouts, told apart by what is there. Up to 3.3 a task instance is one row, and tries that have ended are
rows of ``TaskInstanceHistory``. From 3.4 on every try is a row of ``TaskInstance`` itself: the one with ``working_set``
is the task instance now, or its try to come, and the others are archived. Mapped rows have a ``region_id`` there, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_interruptible.exceptions import InterruptibleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

STUCK_IN_QUEUED = "stuck in queued reschedule"
"""``TASK_STUCK_IN_QUEUED_RESCHEDULE_EVENT`` of Airflow's scheduler_job_runner, which is too heavy to import for it."""

STATE_MISMATCH = "state mismatch"
"""The event of the Log row in which ``process_executor_events`` of the same module writes what an executor said."""

_SCHEDULER = "SchedulerJob"
"""``SchedulerJobRunner.job_type``."""

Key = tuple[str, str, str, int]
"""A task instance: Dag id, task id, run id, map index."""

FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""The states of a task instance that nothing follows, unless a person clears it."""

UNFINISHED_RUN = frozenset({"queued", "running"})

_LARGEST = 2**31 - 1  # of a column of whole numbers

_ENDING_COLUMNS = {"start_date", "end_date", "hostname", "retry_delay_override", "retry_reason"}
_TRY_COLUMNS = _ENDING_COLUMNS | {
    *("dag_id", "task_id", "run_id", "map_index", "try_number", "max_tries"),
    *("queue", "executor", "executor_config", "state", "queued_by_job_id", "next_method"),
}
_ROW_COLUMNS = {"id", "dag_run", "last_heartbeat_at"}
_ROWS_ARE_TRIES_COLUMNS = {"working_set", "archived_reason", "region_id", "region_index"}
_LOG_COLUMNS = {"event", "extra", "dag_id", "task_id", "run_id", "map_index"}
_RUN_COLUMNS = {"dag_id", "run_id", "conf", "state", "created_at"}


class SeamChangedError(InterruptibleError):
    """This Airflow is not one that this package knows. The message is the sentence that everybody is told.

    :param what: the name that has moved, or is not what it was.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"This version of airflow-interruptible does not know this version of Airflow: {what}. Look for a newer "
            "airflow-interruptible."
        )


@dataclass(frozen=True)
class Models:
    """Airflow's models that are watched.

    :param history: of the tries that have ended; the same as ``task_instance`` where every try is a row of that.
    """

    task_instance: type[Any]
    history: type[Any]
    dag_run: type[Any]
    log: type[Any]

    @property
    def tries_are_rows(self) -> bool:
        """Whether this is the layout of Airflow 3.4 and later."""
        return self.history is self.task_instance


@cache
def models() -> Models:
    """Return Airflow's models.

    :raises SeamChangedError: a model or a column is not there; the message names it.
    """
    try:
        from airflow.models.dagrun import DagRun
        from airflow.models.log import Log
        from airflow.models.taskinstance import TaskInstance

        history: type[Any] = TaskInstance
        if not hasattr(TaskInstance, "working_set"):
            from airflow.models.taskinstancehistory import TaskInstanceHistory

            history = TaskInstanceHistory
    except ImportError as error:
        raise SeamChangedError(f"a model of Airflow's metadata database has moved: {error}") from error
    found = Models(TaskInstance, history, DagRun, Log)
    wanted: list[tuple[Any, set[str]]] = [
        (TaskInstance, _TRY_COLUMNS | _ROW_COLUMNS | (_ROWS_ARE_TRIES_COLUMNS if found.tries_are_rows else set())),
        (history, _TRY_COLUMNS),
        (DagRun, _RUN_COLUMNS),
        (Log, _LOG_COLUMNS),
    ]
    for model, columns in wanted:
        require(model, columns)
    return found


def require(model: Any, columns: set[str]) -> None:
    """Make sure that a model has these columns.

    :raises SeamChangedError: it has not; the message names them.
    """
    if missing := columns - set(model.__mapper__.all_orm_descriptors.keys()):
        raise SeamChangedError(f"{model.__name__} has no {', '.join(sorted(missing))}")


def key_of(row: Any) -> Key:
    """Return which task instance a row is about."""
    return row.dag_id, row.task_id, row.run_id, row.map_index


def change_of(row: Any, column: str) -> tuple[Any, Any] | None:
    """Return what the next flush replaces in a column, and what it writes; None if it writes nothing there."""
    from sqlalchemy import inspect

    history = inspect(row).attrs[column].history
    if not history.added:
        return None
    return (history.deleted[0] if history.deleted else None), history.added[0]


def state_change(row: Any) -> tuple[str | None, str | None]:
    """Return the state that the next flush replaces, and the one it writes; (None, None) if it writes none."""
    before, after = change_of(row, "state") or (None, None)
    return text_of(before), text_of(after)


def text_of(state: Any) -> str | None:
    """Return a state as text, which Airflow holds as an enumeration's member or as a string."""
    return None if state is None else str(getattr(state, "value", state))


def heard_for(row: Any) -> float:
    """Return how many seconds after its start the worker of a try was last heard of."""
    if row.start_date is None or row.last_heartbeat_at is None:
        return 0.0
    return float((row.last_heartbeat_at - row.start_date).total_seconds())


def record_try(session: Session, row: Any) -> None:
    """Keep a try that ends in the queue, as Airflow keeps one that ran: the UI shows it, with its own executor_config.

    It also gives the row a new id, so that a pod of that try, should it come after all, cannot pass for the next one.
    Needed where tries are not rows themselves.
    """
    row.prepare_db_for_next_try(session)


def scheduler_of(rows: Iterable[Any]) -> int | None:
    """Return the id of the scheduler's job if this flush is its heartbeat, which only a scheduler's process writes."""
    return next((row.id for row in rows if type(row).__name__ == "Job" and row.job_type == _SCHEDULER), None)


def find(session: Session, key: Key) -> Any:
    """Return the task instance with that key, None if there is none; of several passes of a loop, the latest."""
    from sqlalchemy import select

    model = models().task_instance
    dag_id, task_id, run_id, map_index = key
    question = select(model).where(
        model.dag_id == dag_id, model.task_id == task_id, model.run_id == run_id, model.map_index == map_index
    )
    if models().tries_are_rows:
        question = question.order_by(model.region_id.desc())  # they are numbered by time
    return session.scalars(question.limit(1)).first()


def find_logged(session: Session, log: Any) -> Any:
    """Return the task instance that a Log row is about, None if there is none."""
    identity = getattr(log, "task_instance_id", None)
    return find(session, key_of(log)) if identity is None else session.get(models().task_instance, identity)


def about(log: Any, row: Any) -> bool:
    """Whether a Log row is about this task instance."""
    identity = getattr(log, "task_instance_id", None)
    return bool(key_of(log) == key_of(row) if identity is None else identity == row.id)


def ended_tries(session: Session, row: Any) -> Sequence[Any]:
    """Return the rows of the tries of a task instance that have ended, oldest first."""
    from sqlalchemy import select

    model, names = models().history, ["dag_id", "task_id", "run_id", "map_index"]
    question = select(model).order_by(model.try_number)
    if models().tries_are_rows:
        names.append("region_id")
        question = question.where(model.working_set.is_(None)).execution_options(include_all_attempts=True)
    return session.scalars(question.where(*(getattr(model, name) == getattr(row, name) for name in names))).all()


def is_to_come(row: Any, ended: Sequence[Any]) -> bool:
    """Whether a task instance tells of its next try, which nothing has happened to yet.

    :param ended: its :func:`ended_tries`.
    """
    if row.try_number == 0:
        return True
    if models().tries_are_rows:
        return text_of(row.state) in (None, "up_for_retry")
    return any(each.try_number == row.try_number for each in ended)


def waiting(session: Session, dag_id: str, run_id: str) -> list[Any]:
    """Return the task instances of a run whose first attempt has not been queued yet."""
    from sqlalchemy import and_, or_, select

    model = models().task_instance
    scheduled = and_(model.state == "scheduled", model.try_number <= 1)
    waits = or_(and_(model.state.is_(None), model.try_number == 0), scheduled)
    return list(session.scalars(select(model).where(model.dag_id == dag_id, model.run_id == run_id, waits)))


def conf_of(session: Session, dag_id: str, run_id: str) -> Mapping[str, Any]:
    """Return the conf of a run, empty if it has none."""
    from sqlalchemy import select

    model = models().dag_run
    conf = session.scalar(select(model.conf).where(model.dag_id == dag_id, model.run_id == run_id))
    return conf if isinstance(conf, Mapping) else {}


def unfit(values: Mapping[str, Any]) -> str | None:
    """Return what Airflow's columns of a task instance would not take, None if they take all.

    Airflow writes these values after this package has seen them, and a refusal then costs Airflow's transaction.
    """
    columns = models().task_instance.__table__.columns
    for name, value in values.items():
        limit = getattr(columns[name].type, "length", None)
        if isinstance(value, str) and ((limit and len(value) > limit) or not value.isprintable()):
            return f"{name} takes {limit} printable characters, got {len(value)}: {value[:60]!r}"
        if isinstance(value, int) and abs(value) > _LARGEST:
            return f"{name} takes no number as large as {value}"
    return None

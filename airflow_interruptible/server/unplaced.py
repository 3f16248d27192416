# SPDX-License-Identifier: Apache-2.0
"""End an attempt whose pod was never placed, as the scheduler ends one whose executor reports a failure.

It is the scheduler's own function that does it, ``SchedulerJobRunner.process_executor_events``, so the row lock, the
callbacks, the e-mail and the listeners are Airflow's. It is handed an executor that knows one thing: this attempt
failed. From Airflow 3.4 on, executors know an attempt by its row's id.
Everything private that this needs is named in this module.
"""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_interruptible.server import seam

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from airflow_interruptible.core.classification import Classification
    from airflow_interruptible.server.seam import Key

_KNOWN = "interruptible: found"
_ARGUMENTS = ("executor", "job_id", "scheduler_dag_bag", "session")
_QUEUED = "queued"


def check() -> None:
    """Make sure that this Airflow is one that we know.

    :raises SeamChangedError: something has moved; the message names it.
    """
    try:
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

        found = inspect.signature(SchedulerJobRunner.process_executor_events)
    except (ImportError, AttributeError) as error:
        raise seam.SeamChangedError(f"the scheduler's handling of executor events has moved: {error}") from error
    more = [each for each in found.parameters.values() if each.default is each.empty and each.name not in _ARGUMENTS]
    if tuple(found.parameters)[: len(_ARGUMENTS)] != _ARGUMENTS or more:
        raise seam.SeamChangedError(f"process_executor_events takes {', '.join(found.parameters)}")
    _named_by_id()


def found(session: Session, key: Key) -> Classification | None:
    """Return what is known of the end of the attempt that this session is ending, None if nothing is."""
    known: Mapping[Key, Classification] = session.info.get(_KNOWN, {})
    return known.get(key)


def waits(key: Key, number: int, job_id: int) -> bool:
    """Return whether a try is still queued by that scheduler and has done nothing yet.

    One that was deferred and comes back has: to fail it would lose what its trigger brought, so it is left to Airflow,
    which queues it again as it is.
    """
    return _waiting(key, number, job_id) is not None


def end(key: Key, number: int, job_id: int, why: Classification) -> bool:
    """End the try for the reason given, unless something else has happened to it.

    :return: whether it waits no longer; False if another transaction holds its row.
    """
    row_id = _waiting(key, number, job_id)
    if row_id is None:
        return True
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.dagbag import DBDagBag
    from airflow.utils.session import create_session

    messenger = _messenger()
    messenger.get_event_buffer()  # Airflow puts back into it what another transaction holds
    messenger.fail(_workload_key(key, number, row_id), why.reason)
    with create_session(scoped=False) as session:
        session.info[_KNOWN] = {key: why}
        SchedulerJobRunner.process_executor_events(messenger, job_id, DBDagBag(load_op_links=False), session)
    return not waits(key, number, job_id)


@cache
def _messenger() -> Any:
    from airflow.callbacks.database_callback_sink import DatabaseCallbackSink
    from airflow.executors.base_executor import BaseExecutor

    messenger = BaseExecutor()
    messenger.callback_sink = DatabaseCallbackSink()
    return messenger


def _waiting(key: Key, number: int, job_id: int) -> Any:
    """Return the id of the try's row if it waits as :func:`waits` means it, else None."""
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        ti = seam.find(session, key)
        if ti is None or (ti.state, ti.try_number) != (_QUEUED, number):
            return None
        return ti.id if ti.queued_by_job_id == job_id and ti.next_method is None else None


def _workload_key(key: Key, number: int, row_id: Any) -> Any:
    """Return how an executor names the try in what it reports."""
    from airflow.models.taskinstancekey import TaskInstanceKey

    named_by_id = _named_by_id()
    dag_id, task_id, run_id, map_index = key
    return TaskInstanceKey(dag_id, task_id, run_id, number, map_index) if named_by_id is None else named_by_id(row_id)


def _named_by_id() -> Any:
    """Return what makes a row's id the name of a try, None where executors name it by Dag, task, run and number.

    :raises SeamChangedError: they name it by its id, and this has moved.
    """
    from airflow.executors.base_executor import BaseExecutor

    if not hasattr(BaseExecutor, "get_task_key"):
        return None
    try:
        return import_module("airflow.executors.workloads.types").TaskInstanceUuid
    except (ImportError, AttributeError) as error:
        raise seam.SeamChangedError(f"the name of a try in executor events has moved: {error}") from error

# SPDX-License-Identifier: Apache-2.0
"""End an attempt whose pod was never placed, as the scheduler ends one whose executor reports a failure.

It is the scheduler's own function that does it, ``SchedulerJobRunner.process_executor_events``, so the row lock, the
callbacks, the e-mail and the listeners are Airflow's. It is handed an executor that knows one thing: this attempt
failed.
Everything private that this needs is named in this module.
"""

from __future__ import annotations

import inspect
from functools import cache
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
    if tuple(found.parameters) != _ARGUMENTS:
        raise seam.SeamChangedError(f"process_executor_events takes {', '.join(found.parameters)}")


def found(session: Session, key: Key) -> Classification | None:
    """Return what is known of the end of the attempt that this session is ending, None if nothing is."""
    known: Mapping[Key, Classification] = session.info.get(_KNOWN, {})
    return known.get(key)


def waits(key: Key, number: int, job_id: int) -> bool:
    """Return whether a try is still queued by that scheduler and has done nothing yet.

    One that was deferred and comes back has: to fail it would lose what its trigger brought, so it is left to Airflow,
    which queues it again as it is.
    """
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        ti = seam.find(session, key)
        if ti is None or (ti.state, ti.try_number) != (_QUEUED, number):
            return False
        return ti.queued_by_job_id == job_id and ti.next_method is None


def end(key: Key, number: int, job_id: int, why: Classification) -> bool:
    """End the try for the reason given, unless something else has happened to it.

    :return: whether it waits no longer; False if another transaction holds its row.
    """
    if not waits(key, number, job_id):
        return True
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.dagbag import DBDagBag
    from airflow.models.taskinstancekey import TaskInstanceKey
    from airflow.utils.session import create_session

    dag_id, task_id, run_id, map_index = key
    messenger = _messenger()
    messenger.fail(TaskInstanceKey(dag_id, task_id, run_id, number, map_index), why.reason)
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

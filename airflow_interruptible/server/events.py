# SPDX-License-Identifier: Apache-2.0
"""Which task instances a flush concerns.

| what a flush writes                          | what it means                                                |
| a TaskInstance                               | an attempt of it ended, or is to come: see :mod:`.flush`     |
| a new TaskInstance                           | a mapped task was expanded; the run's conf may say something |
| a DagRun to ``running``                      | the same, for all that wait                                  |
| a Log row "stuck in queued reschedule"       | the same try is queued again                                 |
| the heartbeat of a Job                       | this process is a scheduler, a Dag processor, a triggerer    |

And before a transaction is committed in which Airflow went over the tasks of a run: the tasks that its Dag has got
since were inserted past every flush.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.marker import Marker
from airflow_interruptible.server import seam
from airflow_interruptible.server.apart import apart
from airflow_interruptible.server.flush import Happened, Turn, turns
from airflow_interruptible.server.lookout import lookout
from airflow_interruptible.server.lost_messages import lost_messages
from airflow_interruptible.server.never_started import never_started, was_helped
from airflow_interruptible.server.placing import Confs, settle, settle_requeued
from airflow_interruptible.server.spot_timeout import spot_timeout
from airflow_interruptible.server.traces import traces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

_SETTING = "interruptible"


def place_next_attempts(session: Session, new: Sequence[Any], dirty: Sequence[Any]) -> None:
    """Place the next attempt of every task instance that this flush concerns.

    :param new: the rows that it inserts, of those that are watched.
    :param dirty: the rows that it changes.
    :raises SeamChangedError: Airflow's models are not those we know.
    """
    known, confs = seam.models(), Confs(session)
    for turn in turns(new, dirty):
        settle(session, turn, confs)
    for log in (row for row in new if isinstance(row, known.log) and row.event == seam.STUCK_IN_QUEUED):
        _settle_logged(session, log)
    _place_first(session, (row for row in new if isinstance(row, known.task_instance)), confs)
    started = (row for row in dirty if isinstance(row, known.dag_run) and seam.state_change(row)[1] == "running")
    place_waiting(session, started)
    if (scheduler := seam.scheduler_of(dirty)) is not None:
        spot_timeout.beat(scheduler)
        lookout.beat(scheduler)
        never_started.beat(scheduler)
        lost_messages.beat(scheduler)
    traces.leave(session, dirty)


def place_waiting(session: Session, runs: Iterable[Any]) -> None:
    """Place the first attempts that wait in runs whose conf says something."""
    for run in runs:
        if _SETTING in (run.conf or {}):
            rows: list[Any] = []
            with apart(session, f"First attempts of run {run.run_id!a} are not moved to where its conf says."):
                rows = seam.waiting(session, run.dag_id, run.run_id)
            _place_first(session, rows, Confs(session, {(run.dag_id, run.run_id): run.conf}))


def _settle_logged(session: Session, log: Any) -> None:
    ti = None
    with apart(session, "A try that was stuck in the queue stays where it is."):
        ti = seam.find_logged(session, log)
    marker = Marker.from_config(ti.executor_config) if ti is not None else None
    if marker is not None and not was_helped(seam.key_of(ti), ti.try_number):
        settle_requeued(session, ti, marker)


def _place_first(session: Session, rows: Iterable[Any], confs: Confs) -> None:
    """Place attempts that nothing has happened to yet: where the file says, they stand already."""
    for row in rows:
        marker = Marker.from_config(row.executor_config)
        if marker is not None and _SETTING in confs.of(row):
            settle(session, Turn(row, marker, Happened.NOTHING, last=0), confs)

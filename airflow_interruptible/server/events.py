# SPDX-License-Identifier: Apache-2.0
"""Which of the rows that are about to be written end an attempt of ours, or start one somewhere else.

| what a flush writes                                   | what it means                                     |
| a new TaskInstanceHistory row                         | a try ended: failed, killed, cleared or orphaned  |
| a TaskInstance from ``queued`` to ``up_for_retry``    | a try was lost before it started: no history row  |
| a TaskInstance from ``up_for_retry`` to None          | it was cleared before its next try                |
| a Log row "stuck in queued reschedule"                | the same try is queued again                      |
| a DagRun to ``running``                               | its conf may say something                        |
| a new TaskInstance                                    | a mapped task was expanded; the conf again        |
| the heartbeat of a scheduler's Job                    | this process is a scheduler                       |

Beside the end of a try stands a Log row "state mismatch" with what the executor said, where it was the first to notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.marker import Marker
from airflow_interruptible.server import seam
from airflow_interruptible.server.lookout import lookout
from airflow_interruptible.server.placing import Row
from airflow_interruptible.server.spot_timeout import spot_timeout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

_SETTING = "interruptible"


def place_next_attempts(session: Session) -> None:
    """Place the next attempt of every task instance that this flush concerns.

    :raises SeamChangedError: Airflow's models are not those we know.
    """
    known = seam.models()
    new = list(session.new)
    logs = [row for row in new if isinstance(row, known.log)]
    said = {seam.key_of(row): row.extra for row in logs if row.event == seam.STATE_MISMATCH}
    ended = {seam.key_of(row): row for row in new if isinstance(row, known.history)}
    for ti in [row for row in session.dirty if isinstance(row, known.task_instance)]:
        history = ended.get(seam.key_of(ti)) if ended else None
        if history is not None:
            _after_try(session, ti, history, said.get(seam.key_of(ti)))
        else:
            _after_change(session, ti, said.get(seam.key_of(ti)))
    _requeued(session, [row for row in logs if row.event == seam.STUCK_IN_QUEUED])
    _follow_conf(session, [row for row in new if isinstance(row, known.task_instance)])
    _start_runs(session, [row for row in session.dirty if isinstance(row, known.dag_run)])
    if (scheduler := seam.scheduler_of(session)) is not None:
        spot_timeout.beat(scheduler)
        lookout.beat(scheduler)


def _ours(session: Session, ti: Any) -> Iterator[Row]:
    marker = Marker.from_config(ti.executor_config)
    if marker is not None:
        yield Row(session, ti, marker)


def _after_try(session: Session, ti: Any, history: Any, said: str | None) -> None:
    for row in _ours(session, ti):
        if seam.state_change(ti)[1] == "restarting":
            row.after_clear(history)
        else:
            row.after_try(history, said)


def _after_change(session: Session, ti: Any, said: str | None) -> None:
    change = seam.state_change(ti)
    if change == ("queued", "up_for_retry"):
        for row in _ours(session, ti):
            row.after_never_started(said)
    elif change == ("up_for_retry", None):
        for row in _ours(session, ti):
            row.after_reset()


def _requeued(session: Session, logs: list[Any]) -> None:
    for log in logs:
        ti = seam.find(session, seam.key_of(log))
        if ti is not None:
            for row in _ours(session, ti):
                row.after_requeue()


def _follow_conf(session: Session, created: list[Any]) -> None:
    confs: dict[tuple[str, str], Any] = {}
    for ti in created:
        for row in _ours(session, ti):
            run = (ti.dag_id, ti.run_id)
            if run not in confs:
                confs[run] = seam.conf_of(session, *run)
            if _SETTING in confs[run]:
                row.place_first(confs[run])


def _start_runs(session: Session, runs: list[Any]) -> None:
    for run in runs:
        if _SETTING in (run.conf or {}) and seam.state_change(run)[1] == "running":
            for ti in seam.waiting(session, run.dag_id, run.run_id):
                for row in _ours(session, ti):
                    row.place_first(run.conf)

# SPDX-License-Identifier: Apache-2.0
"""Tries of KubernetesExecutor that are queued, and whose pod was gone before it ran: queued again, not waited for.

The executor never learns that a pod it waits for was deleted, as with its node; Airflow waits for ``[scheduler]
task_queued_timeout``, ten minutes, and then takes the try out of the executor and queues it again. So that is what
is brought about: the time since which the try is queued is dated back, and Airflow does the rest, the next time it
looks (``[scheduler] task_queued_timeout_check_interval``, two minutes). The same try begins, nobody is charged, and as
this says nothing of spot capacity, it stays where it was placed.

A pod that is not there may not have been made yet: only one that was seen, and is missing for a while, is gone. Airflow
fails a try that was queued again too often, so each is helped once, and not after Airflow has done so itself.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_interruptible.marker import Marker
from airflow_interruptible.remote import kubernetes_waiting as pods
from airflow_interruptible.server import seam
from airflow_interruptible.server.patrol import Patrol
from airflow_interruptible.server.spot_timeout import wanted
from airflow_interruptible.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from airflow_interruptible.server.patrol import Round
    from airflow_interruptible.server.seam import Key

log = logging.getLogger(__name__)

Try: TypeAlias = tuple["Key", int]

_PAUSE = 5.0
"""Seconds between two looks."""

_MISSING = timedelta(seconds=15)
"""How long a pod has to be missing. The executor itself deletes one that failed and makes another, in that order."""

_QUEUED = "queued"
_MOST = 500
_KEPT = 10_000


@dataclass(frozen=True)
class Queued:
    """A try of ours that waits.

    :param row_id: the id of its row.
    :param since: since when it is queued, as Airflow counts.
    :param executor: as the row names it, None for the default one.
    :param external_id: what that calls it, None if it has not said.
    """

    row_id: Any
    which: Try
    since: datetime
    executor: str | None = None
    external_id: str | None = None


@dataclass
class Watch:
    """Looks for the pods of the tries that one scheduler has queued.

    :param job_id: the scheduler's job.
    :param late: how long a try has to be queued before it is looked for.
    """

    job_id: int
    late: timedelta
    seen: set[Try] = field(default_factory=set)
    """Tries whose pod was seen."""
    missing: dict[Try, datetime] = field(default_factory=dict)
    """Since when the pod of a try is missing that was seen."""

    def look(self) -> None:
        """Look for every try that waits, and let Airflow queue those again whose pod is gone.

        :raises Exception: whatever the database or the cluster raises; the next look goes on from there.
        """
        tries = {each.which: each for each in queued(self.job_id, self.late)}
        there = set(pods.tries(pods.client(), self.job_id)) if tries else set()
        now = datetime.now(timezone.utc)
        self.seen = (self.seen & set(tries)) | (there & set(tries))
        self.missing = {which: self.missing.get(which, now) for which in self.seen - there}
        for which, since in list(self.missing.items()):
            if now - since >= _MISSING:
                help_once(tries[which], "its pod")


helped: dict[Try, None] = {}
"""Tries that Airflow was let queue again, the oldest first."""


def help_once(one: Queued, what: str) -> None:
    """Let Airflow queue a try again, unless that was done before.

    :param what: what was gone before it ran.
    """
    if one.which in helped:
        return
    helped[one.which] = None
    if requeue(one):
        log.info("Try %d of %s is queued again: %s was gone before it ran.", one.which[1], one.which[0], what)
    while len(helped) > _KEPT:
        helped.pop(next(iter(helped)))


def was_helped(key: Key, number: int) -> bool:
    """Whether a try that Airflow queues again had lost what it was to run in, which tells nothing of spot capacity."""
    return (key, number) in helped


def queued(job_id: int, after: timedelta) -> Sequence[Queued]:
    """Return the tries of ours that a scheduler has queued for that long, the longest first.

    One that was deferred and comes back is among them: it is queued again as it is.

    :raises Exception: whatever the database raises.
    """
    from airflow.utils.session import create_session
    from sqlalchemy import select

    model = seam.models().task_instance
    long = model.queued_dttm < datetime.now(timezone.utc) - after
    query = select(model).where(model.state == _QUEUED, model.queued_by_job_id == job_id, long)
    with create_session(scoped=False) as session:
        rows = session.scalars(query.order_by(model.queued_dttm).limit(_MOST)).all()
        return [
            Queued(row.id, (seam.key_of(row), row.try_number), row.queued_dttm, row.executor, row.external_executor_id)
            for row in rows
            if Marker.from_config(row.executor_config) is not None
        ]


def requeue(one: Queued) -> bool:
    """Let a try be queued for as long as Airflow's own sweep wants it, unless something has happened to it meanwhile.

    :return: whether that was done.
    """
    from airflow.configuration import conf
    from airflow.utils.session import create_session
    from sqlalchemy import update

    model = seam.models().task_instance
    limit = timedelta(seconds=conf.getfloat("scheduler", "task_queued_timeout") + 1)
    untouched = (model.id == one.row_id, model.state == _QUEUED, model.queued_dttm == one.since)
    backwards = min(one.since, datetime.now(timezone.utc) - limit)
    with create_session(scoped=False) as session:
        if _was_stuck(session, one.which[0]):
            return False
        done: Any = session.execute(
            update(model).where(*untouched).values(queued_dttm=backwards),
            execution_options={"synchronize_session": False},
        )
        return bool(done.rowcount)


def _was_stuck(session: Session, key: Key) -> bool:
    """Whether Airflow has queued one of its tries again by itself: it does so twice by default, and then fails it."""
    from sqlalchemy import select

    model = seam.models().log
    about = zip((model.dag_id, model.task_id, model.run_id, model.map_index), key, strict=True)
    same = (column == value for column, value in about)
    return session.scalar(select(model.id).where(model.event == seam.STUCK_IN_QUEUED, *same).limit(1)) is not None


def queues_again() -> bool:
    """Whether Airflow queues a try again at all, which it could be told not to."""
    from airflow.configuration import conf

    return conf.getint("scheduler", "num_stuck_in_queued_retries", fallback=2) > 0


def _begin(job_id: int) -> Round | None:
    late = get_settings().late_heartbeat
    return (Watch(job_id, late).look, _PAUSE) if late and wanted() and queues_again() else None


never_started = Patrol("late_heartbeat", _begin, "Tries whose pod is gone wait for [scheduler] task_queued_timeout.")

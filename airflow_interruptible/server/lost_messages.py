# SPDX-License-Identifier: Apache-2.0
"""Tries of CeleryExecutor that are queued, and whose worker died before they ran: queued again, not waited for.

A worker takes the message, writes so into Celery's result backend, and starts Airflow's supervisor; a few seconds later
the try runs. If the machine dies in between, the message stays with the dead worker: redis gives it to another one
after ``visibility_timeout``, a day by Airflow's default, and Airflow waits for ``[scheduler] task_queued_timeout``. So
a try that a worker has begun with, and that is queued still, is looked after, and where that worker is proved to be
gone, see :mod:`airflow_interruptible.remote.presence.celery`, Airflow is let queue it again as in
:mod:`airflow_interruptible.server.never_started`. Should that worker live after all, cut off from the broker alone,
Airflow's API server lets one of the two run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_interruptible.executor_names import classes_of, path_of
from airflow_interruptible.remote.presence import celery
from airflow_interruptible.server.never_started import help_once, queued, queues_again
from airflow_interruptible.server.patrol import Patrol
from airflow_interruptible.server.spot_timeout import wanted
from airflow_interruptible.settings import get_settings

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_interruptible.server.patrol import Round

_EXECUTOR = "CeleryExecutor"

_PAUSE = 5.0
"""Seconds between two looks."""


@dataclass
class Watch:
    """Looks for the workers of the tries that one scheduler has queued.

    :param job_id: the scheduler's job.
    :param late: how long a try has to be queued before it is looked for.
    """

    job_id: int
    late: timedelta

    def look(self) -> None:
        """Look for every try that a worker has begun with, and let Airflow queue those again whose worker is gone.

        :raises Exception: whatever database, result backend or broker raise; the next look goes on from there.
        """
        tries = {
            one.external_id: one
            for one in queued(self.job_id, self.late)
            if one.external_id is not None and _is_celery_s(one.executor)
        }
        taken = dict(celery.takers(tries))
        gone = celery.silent(set(taken.values()))
        for message, worker in taken.items():
            if worker in gone:
                help_once(tries[message], f"its worker {worker}")


def _is_celery_s(executor: str | None) -> bool:
    return _EXECUTOR in (classes_of(path_of(executor)) or ())


def _begin(job_id: int) -> Round | None:
    late = get_settings().late_heartbeat
    return (Watch(job_id, late).look, _PAUSE) if late and wanted(_EXECUTOR) and queues_again() else None


lost_messages = Patrol(
    "late_heartbeat", _begin, "Tries whose worker died before they ran wait for [scheduler] task_queued_timeout."
)

# SPDX-License-Identifier: Apache-2.0
"""The one public method that a placing executor puts in front of Airflow's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.executors.base_executor import BaseExecutor

from airflow_interruptible.marker import Marker
from airflow_interruptible.server import seam
from airflow_interruptible.server.apart import tolerated
from airflow_interruptible.server.complaints import complaints
from airflow_interruptible.server.placing import settle_queued
from airflow_interruptible.server.seam import SeamChangedError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_STAYS = "An attempt could not be placed; it stays where the last one was."


class PlacingExecutor(BaseExecutor):
    """Gives a task instance its queue and its executor_config at the moment it is queued."""

    def queue_workload(self, workload: Any, session: Session) -> None:
        """Place the attempt in ``workload``, then queue it as Airflow does."""
        task_instance = getattr(workload, "ti", None)
        marker = Marker.from_config(getattr(task_instance, "executor_config", None))
        if marker is not None:
            try:
                with tolerated(_STAYS):
                    _place(task_instance, marker, session)
            except SeamChangedError as error:
                complaints.tell(_STAYS, error)
        super().queue_workload(workload, session)


def _place(task_instance: Any, marker: Marker, session: Session) -> None:
    row = session.get(seam.models().task_instance, task_instance.id)
    if row is None:
        return
    settle_queued(session, row, marker)
    task_instance.queue = row.queue
    task_instance.executor_config = row.executor_config

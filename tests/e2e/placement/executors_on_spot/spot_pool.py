"""An executor on spot machines that may not be there: what it does to a task is told by the task's name."""

from __future__ import annotations

from typing import Any

from airflow.executors.local_executor import LocalExecutor


class SpotPool(LocalExecutor):
    """A LocalExecutor that loses first tries while they are queued, or never finds a machine for them."""

    def queue_workload(self, workload: Any, session: Any) -> None:
        """Queue a task, unless it is one that meets with an accident."""
        task_id, first = workload.ti.task_id, workload.ti.try_number == 1
        if task_id == "lost_in_queue" and first:
            self.fail(workload.ti.key, info="the pod was deleted")
        elif task_id != "stuck_in_queue":
            super().queue_workload(workload, session)

    def revoke_task(self, *, ti: Any) -> None:
        """Forget a task that was never run."""

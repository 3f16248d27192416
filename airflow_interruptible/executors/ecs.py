# SPDX-License-Identifier: Apache-2.0
"""AwsEcsExecutor that places attempts itself, launches each once, and says why it ended. Needs the amazon provider.

For compute ``ecs``. The surprising fact: Amazon's sends a launch type unless the cluster has a default strategy, and
no ``executor_config`` can take it away again, while ECS refuses it beside a capacity provider. So the request is put
right where it is complete, in ``_run_task_kwargs``, the one private method of Amazon's that is named here.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.executors.ecs.ecs_executor import AwsEcsExecutor

from airflow_interruptible.executors.jobs import JobExecutor
from airflow_interruptible.marker import without_marker
from airflow_interruptible.remote.ecs import end_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_FARGATE = ("FARGATE", "FARGATE_SPOT")


class InterruptibleAwsEcsExecutor(JobExecutor, AwsEcsExecutor):  # type: ignore[misc]  # it narrows workloads
    """``[core] executor = airflow_interruptible.executors.ecs.InterruptibleAwsEcsExecutor``."""

    job_noun = "ECS task"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_run_task_attempts = "1"

    def described(self, job: str) -> Mapping[str, Any]:
        """DescribeTasks."""
        return next(iter(self.ecs.describe_tasks(cluster=self.cluster, tasks=[job])["tasks"]), {})

    def end_of(self, described: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return stop code, reason, provider and exit codes."""
        return end_of(described) if described else {}

    def waits_for_capacity(self, described: Mapping[str, Any]) -> bool:
        """Whether a provider with managed scaling is still to start a host.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
        """
        return described.get("lastStatus") == "PROVISIONING"

    def stop(self, job: str, why: str) -> None:
        """StopTask."""
        self.ecs.stop_task(cluster=self.cluster, task=job, reason=why)

    def forget(self, key: Any) -> None:
        """Drop it from the tasks that run, and from those that are to be launched."""
        if key in self.active_workers.get_all_task_keys():
            self.active_workers.pop_by_key(key)
        self.pending_workloads = deque(one for one in self.pending_workloads if one.key != key)

    def _run_task_kwargs(self, task_id: Any, cmd: Any, queue: Any, exec_config: Any) -> dict[str, Any]:
        request = super()._run_task_kwargs(task_id, cmd, queue, without_marker(exec_config))
        strategy = request.get("capacityProviderStrategy")
        if isinstance(strategy, list) and strategy:
            request.pop("launchType", None)
            if any(one.get("capacityProvider") not in _FARGATE for one in strategy):
                request.pop("platformVersion", None)  # Fargate's alone
        return request

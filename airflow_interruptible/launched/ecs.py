# SPDX-License-Identifier: Apache-2.0
"""Amazon ECS: the tasks that EcsRunTaskOperator runs, placed by the capacity provider.

One provider for each capacity, so that what ran is certain. ``FARGATE_SPOT`` and ``FARGATE`` exist everywhere, but must
be associated with the cluster; so must the providers of Auto Scaling groups.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html

The surprising fact: ``launchType`` reads ``FARGATE`` for both capacities, and a task whose program handles SIGTERM
politely stops with exit code 0 when its capacity is taken back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.ecs import FARGATE, providers_of
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.launched.aws import answers, error_of
from airflow_interruptible.launched.work import GONE, Seen, Work, is_template, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from airflow_interruptible.core.capacity import CapacityType

_NOT_OFFERED = re.compile(r"\bcapacity provider\b", re.IGNORECASE)
"""The API says ``InvalidParameterException`` of whatever is wrong with a request.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html#API_RunTask_Errors"""

_WAITING = ("PROVISIONING", "PENDING", "ACTIVATING")
"""https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html"""


class EcsTasks(Work):
    """Tasks of Amazon ECS. Options: ``spot`` and ``on_demand``, two capacity providers; none for Fargate's."""

    name = "ecs"
    noun = "ECS task"
    owns = frozenset({"capacity_provider_strategy", "launch_type"})
    ends_falsely = True
    stopped_by_operator = True

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse anything but two providers."""
        providers_of(options)

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Refuse another place than the spot provider's, and work that is not waited for."""
        pair, strategy = providers_of(options), arguments.get("capacity_provider_strategy")
        instead = f"Drop it: attempts go to {pair.spot} or {pair.on_demand}."
        if strategy and not is_template(strategy) and _providers(strategy) != {pair.spot}:
            why = "a strategy of several providers, or of another one, does not tell what an attempt runs on."
            raise refuse("capacity_provider_strategy", strategy, why, instead)
        launch_type = arguments.get("launch_type")
        if launch_type and not strategy and not is_template(launch_type):
            raise refuse("launch_type", launch_type, "a launch type is never spot.", instead)
        if not arguments.get("wait_for_completion", True) and not arguments.get("deferrable"):
            why = "nobody would see that the task was interrupted."
            raise refuse("wait_for_completion", False, why, "Wait for it, or set deferrable=True.")

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:
        """Return what the author's provider, or Fargate's launch type, stands for."""
        if strategy := arguments.get("capacity_provider_strategy"):
            names = _providers(strategy)
            only = names.pop() if len(names) == 1 else None
            return providers_of(options).capacity_of(only) or FARGATE.capacity_of(only)
        return FARGATE.capacity_of(arguments.get("launch_type"))

    def placed(
        self,
        arguments: Mapping[str, Any],  # noqa: ARG002
        options: Mapping[str, Any],
        capacity: CapacityType,
    ) -> dict[str, Any]:
        """Return a strategy of one provider. ECS refuses a launch type beside it."""
        strategy = [{"capacityProvider": providers_of(options).name_of(capacity), "weight": 1}]
        return {"capacity_provider_strategy": strategy, "launch_type": None}

    def refuses(self, error: BaseException) -> bool:
        """Whether the provider is not associated with the cluster."""
        code, message = error_of(error)
        return code == "InvalidParameterException" and _NOT_OFFERED.search(message) is not None

    def hearing(
        self,
        task: Any,
        heard: Callable[[str], None],
        attached: str | None,  # noqa: ARG002
    ) -> AbstractContextManager[object]:
        """Hear of the ARN that RunTask answers with."""
        return answers(task.client, "ecs.RunTask", _arn_in, heard)

    def others(self, task: Any, context: Mapping[str, Any]) -> list[str]:
        """Return what ``reattach=True`` would find, by the name that the operator gives to all attempts of a task."""
        if not task.reattach:
            return []
        from airflow.providers.amazon.aws.utils.identifiers import generate_uuid

        ti = context["ti"]
        started_by = generate_uuid(*map(str, [ti.dag_id, ti.task_id, ti.run_id, ti.map_index]))
        listed = task.client.list_tasks(cluster=task.cluster, desiredStatus="RUNNING", startedBy=started_by)
        return list(listed["taskArns"])

    def attach(self, task: Any, job: str) -> None:
        """The operator starts a task only if it has no ARN."""
        task.arn = job

    def look(self, task: Any, job: str) -> Seen:
        """Return what DescribeTasks says; ECS forgets a stopped task after an hour."""
        described = task.client.describe_tasks(cluster=task.cluster, tasks=[job])["tasks"]
        if not described:
            return GONE
        told = described[0]
        provider = told.get("capacityProviderName")
        used = {"provider": provider} if provider else {}
        capacity = FARGATE.capacity_of(provider)
        exits = [one.get("exitCode") for one in told.get("containers", [])]
        succeeded = bool(exits) and all(code == 0 for code in exits)
        state = WorkState.OVER
        if told.get("lastStatus") != "STOPPED":
            waits = WorkState.WAITING if told.get("lastStatus") in _WAITING else WorkState.AT_WORK
            state = WorkState.ENDING if told.get("desiredStatus") == "STOPPED" else waits
        return Seen(state, state is WorkState.OVER and succeeded, capacity, used)

    def stop(self, task: Any, job: str) -> None:
        """StopTask: SIGTERM, and SIGKILL after the container's ``stopTimeout``."""
        task.client.stop_task(cluster=task.cluster, task=job, reason="The attempt that it belongs to is over")


def _providers(strategy: object) -> set[str]:
    """The providers of a strategy; what is no strategy has one that nobody knows."""
    items = strategy if isinstance(strategy, list | tuple) else [strategy]
    return {str(item.get("capacityProvider")) if isinstance(item, dict) else str(item) for item in items}


def _arn_in(answer: Mapping[str, Any]) -> str | None:
    return next((task["taskArn"] for task in answer.get("tasks", [])), None)

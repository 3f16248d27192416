# SPDX-License-Identifier: Apache-2.0
"""Amazon ECS: the command of a task runs as a local process, which can be reclaimed as Fargate Spot reclaims it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil

from aws_api.server import ApiError, Operations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ARN = "arn:aws:ecs:us-east-1:123456789012"
METADATA = "http://169.254.170.2/v4"
"""Which a container finds in its environment. On Fargate, the rest is the task's id."""

GRACE = 0.3
"""Seconds between SIGTERM and SIGKILL; 30 in life."""


class Task:
    """One task of one container."""

    def __init__(
        self, request: dict[str, Any], instead: list[str] | None, env: Mapping[str, str] | None = None
    ) -> None:
        strategy = request.get("capacityProviderStrategy") or [{}]
        self.request, self.provider = request, strategy[0].get("capacityProvider")
        name = uuid.uuid4().hex
        self.arn = f"{ARN}:task/{request['cluster']}/{name}"
        self.stop_code = self.reason = None
        override = request["overrides"]["containerOverrides"][0]
        self.provisioned = True
        known = {**(os.environ if env is None else env), "ECS_CONTAINER_METADATA_URI_V4": f"{METADATA}/{name}-1"}
        self.process = subprocess.Popen(instead or override["command"], env=known, start_new_session=True)

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def vanish(self, code: str, reason: str) -> None:
        """Take its machine away, without a word to whatever runs there."""
        self.stop_code, self.reason = code, reason
        for process in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
            process.kill()
        self.process.wait()

    def stop(self, code: str, reason: str) -> None:
        """End it as ECS does."""
        if self.over:
            return
        self.stop_code, self.reason = code, reason
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def described(self) -> dict[str, Any]:
        status = "STOPPED" if self.over else "RUNNING" if self.provisioned else "PROVISIONING"
        code = self.process.poll()
        container = {"name": "main", "lastStatus": status, "containerArn": f"{self.arn}/main"}
        if code is not None:
            container["exitCode"] = 128 - code if code < 0 else code
        told = {
            "taskArn": self.arn,
            "clusterArn": f"{ARN}:cluster/{self.request['cluster']}",
            "lastStatus": status,
            "desiredStatus": "STOPPED" if self.stop_code or self.over else "RUNNING",
            "launchType": self.request.get("launchType") or "FARGATE",
            "startedBy": self.request.get("startedBy"),
            "containers": [container],
        }
        if self.provider:
            told["capacityProviderName"] = self.provider
        if self.provisioned:
            told["startedAt"] = 1_700_000_000
        if self.over:
            told["stopCode"] = self.stop_code or "EssentialContainerExited"
            told["stoppedReason"] = self.reason or "Essential container in task exited"
        return told


@dataclass
class Ecs(Operations):
    """The service.

    :param providers: those that are associated with the cluster.
    :param no_capacity: the reason with which RunTask finds no room, None if there is some.
    :param watching: called with each task that is described, before the answer.
    :param instead: what runs in the place of a task's own command.
    :param hosts: whether there are hosts for tasks; without, they stay ``PROVISIONING``.
    :param env: what tasks find in their environment; None is this process's own.
    """

    providers: tuple[str, ...] = ("FARGATE_SPOT", "FARGATE")
    no_capacity: str | None = None
    tasks: dict[str, Task] = field(default_factory=dict)
    watching: Callable[[Task], None] = lambda task: None
    instead: list[str] | None = None
    hosts: bool = True
    env: Mapping[str, str] | None = None

    def describe_clusters(self, request: dict[str, Any]) -> dict[str, Any]:
        """Clusters without a default strategy, as they are created."""
        return {
            "clusters": [{"clusterName": name, "defaultCapacityProviderStrategy": []} for name in request["clusters"]]
        }

    def run_task(self, request: dict[str, Any]) -> dict[str, Any]:
        strategy = request.get("capacityProviderStrategy")
        if strategy and request.get("launchType"):
            raise ApiError(
                "InvalidParameterException",
                "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try "
                "again.",
            )
        if strategy and {one["capacityProvider"] for one in strategy} - set(self.providers):
            raise ApiError(
                "InvalidParameterException",
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated "
                "with the cluster. Associate the capacity provider with the cluster and try again.",
            )
        if self.no_capacity:
            return {"tasks": [], "failures": [{"arn": "a", "reason": self.no_capacity}]}
        task = Task(request, self.instead, self.env)
        task.provisioned = self.hosts
        self.tasks[task.arn] = task
        return {"tasks": [{**task.described(), "lastStatus": "PROVISIONING"}], "failures": []}

    def describe_tasks(self, request: dict[str, Any]) -> dict[str, Any]:
        """By ARN, or by its last part."""
        by_name = {name: task for arn, task in self.tasks.items() for name in (arn, arn.rpartition("/")[2])}
        known = [by_name[name] for name in request["tasks"] if name in by_name]
        for task in known:
            self.watching(task)
        missing = [name for name in request["tasks"] if name not in by_name]
        failures = [{"arn": arn, "reason": "MISSING"} for arn in missing]
        return {"tasks": [task.described() for task in known], "failures": failures}

    def list_tasks(self, request: dict[str, Any]) -> dict[str, Any]:
        described = [task.described() for task in self.tasks.values()]
        wanted = [
            one["taskArn"]
            for one in described
            if one["desiredStatus"] == request.get("desiredStatus", "RUNNING")
            and one["startedBy"] == request.get("startedBy", one["startedBy"])
        ]
        return {"taskArns": wanted}

    def stop_task(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["task"] not in self.tasks:
            raise ApiError("InvalidParameterException", "The referenced task was not found.")
        task = self.tasks[request["task"]]
        task.stop("UserInitiated", request.get("reason", ""))
        return {"task": task.described()}

    def close(self) -> None:
        """Leave no process behind."""
        for task in self.tasks.values():
            if not task.over:
                os.killpg(task.process.pid, signal.SIGKILL)
                task.process.wait()

    def reclaim(self, task: Task, *, after: float = 0.0) -> None:
        """Take the capacity back. A program needs a moment to set its traps."""
        time.sleep(after)
        task.stop("SpotInterruption", "Your Spot Task was interrupted.")

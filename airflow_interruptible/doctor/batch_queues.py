# SPDX-License-Identifier: Apache-2.0
"""Job queues that ``launched`` names for AWS Batch: there, enabled, and of one kind of machine only.

The surprising fact: a queue may list spot and on-demand environments, and tries them in order; it cannot stand for a
capacity. https://docs.aws.amazon.com/batch/latest/userguide/job_queue_parameters.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.doctor.cloud import asked, not_permitted
from airflow_interruptible.doctor.finding import Finding, Severity
from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import each, inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.doctor.deployment import Deployment

KINDS: Mapping[str, CapacityType] = {
    "SPOT": CapacityType.SPOT,
    "FARGATE_SPOT": CapacityType.SPOT,
    "EC2": CapacityType.ON_DEMAND,
    "FARGATE": CapacityType.ON_DEMAND,
}
"""https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html"""

_OPTIONS = {"spot": CapacityType.SPOT, "on_demand": CapacityType.ON_DEMAND}
_LINK = "docs/aws.md#batchoperator"


def check(deployment: Deployment) -> Iterator[Finding]:
    """Ask Batch for the queues, if airflow.cfg names some."""
    settings = deployment.settings
    said = settings.launched.get("batch") if settings is not None else None
    wanted = _named(said) if isinstance(said, Mapping) else {}
    if wanted:
        yield from _held_against(aws.client("batch"), wanted)


def _named(said: Mapping[str, Any]) -> dict[str, CapacityType]:
    """Return what each queue stands for; whether the pairs are pairs is for computes to say."""
    several = said.get("pairs", [said])
    pairs = [pair for pair in several if isinstance(pair, Mapping)] if isinstance(several, list) else []
    return {str(pair[option]): capacity for pair in pairs for option, capacity in _OPTIONS.items() if option in pair}


def _held_against(client: Any, wanted: Mapping[str, CapacityType]) -> Iterator[Finding]:
    found = asked(client.describe_job_queues, jobQueues=list(wanted))
    if found is None:
        yield not_permitted("batch:DescribeJobQueues", "Whether the queues are there could not be looked at.")
        return
    queues = {str(queue.get("jobQueueName")): queue for queue in each(found, "jobQueues")}
    arns = sorted({arn for queue in queues.values() for arn in _environments(queue)})
    told = asked(client.describe_compute_environments, computeEnvironments=arns) if arns else {}
    if told is None:
        yield not_permitted("batch:DescribeComputeEnvironments", "What machines the queues have could not be seen.")
        return
    types = {
        name: str(inside(one, "computeResources").get("type"))
        for one in each(told, "computeEnvironments")
        for name in (one.get("computeEnvironmentArn"), one.get("computeEnvironmentName"))
    }
    for name, capacity in wanted.items():
        yield from _judged(name, capacity, queues.get(name), types)


def _judged(
    name: str, capacity: CapacityType, queue: Mapping[str, Any] | None, types: Mapping[Any, str]
) -> Iterator[Finding]:
    if queue is None:
        yield _wrong(name, capacity, "not there", "a queue that is there", "SubmitJob refuses every such attempt.")
        return
    state, status = str(queue.get("state")), str(queue.get("status"))
    if (state, status) != ("ENABLED", "VALID"):
        yield _wrong(name, capacity, f"{state}, {status}", "ENABLED, VALID", "Jobs there are refused, or wait.")
    kinds = sorted({types.get(arn, "?") for arn in _environments(queue)})
    if any(KINDS.get(kind) is not capacity for kind in kinds):
        fit = " or ".join(kind for kind, stands_for in KINDS.items() if stands_for is capacity)
        why = f"Attempts there are said to run {capacity.phrase}, and may not: the environments decide."
        yield _wrong(name, capacity, f"environments of type {', '.join(kinds)}", f"environments of type {fit}", why)


def _environments(queue: Mapping[str, Any]) -> list[str]:
    return [str(one.get("computeEnvironment")) for one in each(queue, "computeEnvironmentOrder")]


def _wrong(name: str, capacity: CapacityType, value: str, better: str, why: str) -> Finding:
    option = next(option for option, stands_for in _OPTIONS.items() if stands_for is capacity)
    setting = f"[interruptible] launched, batch, {option} {name!r}"
    return Finding("batch/queue", Severity.ERROR, setting, value, better, why, _LINK)

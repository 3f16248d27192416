# SPDX-License-Identifier: Apache-2.0
"""The clouds that attempts of late ran on: whether their machines, tasks and jobs may be looked at after a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.doctor.cloud import asked, not_permitted
from airflow_interruptible.launched.aws import error_of
from airflow_interruptible.remote import aws
from airflow_interruptible.server.begun import begun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_interruptible.doctor.deployment import Deployment
    from airflow_interruptible.doctor.finding import Finding

_THEN = "A machine that dies without a word is not told from a crash: its attempt is presumed, and noticed late."
_NO_TASK = "0" * 32
"""The id of a task that there is not: ECS answers that it is missing."""

_ALLOWED = "DryRunOperation"
"""How EC2 says that it would have answered.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html"""


def check(deployment: Deployment) -> Iterator[Finding]:  # noqa: ARG001 - every check has it
    """Ask each service that a ledger of the last day names."""
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        places = {place for attempt in begun(session) for place in attempt.places}
    for place, ask in _SERVICES.items():
        if place in places:
            yield from ask()


def _ec2() -> Iterator[Finding]:
    try:
        refused = asked(aws.client("ec2").describe_instances, DryRun=True) is None
    except Exception as error:
        if error_of(error)[0] != _ALLOWED:
            raise
        refused = False
    if refused:
        yield not_permitted("ec2:DescribeInstances", _THEN)


def _ecs() -> Iterator[Finding]:
    section = "aws_ecs_executor"
    cluster = aws.executor_option(section, "cluster") or "default"
    try:
        client = aws.executor_client("ecs", section)
        refused = asked(client.describe_tasks, cluster=cluster, tasks=[_NO_TASK]) is None
    except Exception as error:
        if error_of(error)[0] != "ClusterNotFoundException":  # it looked
            raise
        refused = False
    if refused:
        yield not_permitted("ecs:DescribeTasks", _THEN)


def _batch() -> Iterator[Finding]:
    if asked(aws.client("batch").describe_jobs, jobs=["airflow-interruptible-doctor"]) is None:
        yield not_permitted("batch:DescribeJobs", _THEN)


_SERVICES: Mapping[str, Callable[[], Any]] = {
    "instance_id": _ec2,
    "ecs_task": _ecs,
    "batch_job": _batch,
}
"""By the name that a ledger has for the place, see :func:`airflow_interruptible.remote.here`."""

# SPDX-License-Identifier: Apache-2.0
"""Amazon EC2: why an instance ended, and whether it was a spot instance.

The surprising fact: a terminated instance is forgotten after about an hour, but its Spot request can still be found by
the instance's name. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotInstanceRequests.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import Answer, each, inside, pick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.remote.past import Past

_ALIVE = ("pending", "running")


def look(past: Past) -> Iterator[Answer]:
    """Look at the instance that an attempt ran on. One that still runs has not ended the attempt."""
    name = past.where["instance_id"]
    client = aws.client("ec2", region=past.where.get("region"))
    instance = _instance(client, name)
    if inside(instance, "State").get("Name") in _ALIVE:
        return
    fields = pick(instance, "InstanceLifecycle", "StateReason", "StateTransitionReason")
    answer = past.tell(Answer("ec2", "DescribeInstances", {"InstanceId": name, **fields}))
    if fields:
        yield answer
    if status := pick(inside(_request(client, name), "Status"), "Code"):
        yield answer.with_fields(Status=status).on("spot")


def lifecycle(client: Any, name: str) -> str | None:
    """Return the capacity that an instance is, or was: ``spot``, ``on-demand``, or None if EC2 does not know it."""
    if instance := _instance(client, name):
        return "spot" if instance.get("InstanceLifecycle") == "spot" else "on-demand"
    return "spot" if _request(client, name) else None


def _instance(client: Any, name: str) -> Mapping[str, Any]:
    """Ask by a filter: an unknown instance is then an empty list and no error."""
    answer = client.describe_instances(Filters=[{"Name": "instance-id", "Values": [name]}])
    instances = (one for reservation in each(answer, "Reservations") for one in each(reservation, "Instances"))
    return next(instances, {})


def _request(client: Any, name: str) -> Mapping[str, Any]:
    answer = client.describe_spot_instance_requests(Filters=[{"Name": "instance-id", "Values": [name]}])
    return next(iter(each(answer, "SpotInstanceRequests")), {})

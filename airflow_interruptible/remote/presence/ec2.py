# SPDX-License-Identifier: Apache-2.0
"""Instances of Amazon EC2 under a worker of any executor, by the instance id in the ledger: two hundred in a call.

One that is shutting down may still save something, so only ``terminated`` and ``stopped`` prove an end; one that is not
found may be in another account. Both states are said within seconds of the loss, and for an hour after it.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import Answer, each, inside, pick
from airflow_interruptible.remote.presence import Life, Proof, Token, by, chunks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ENDED = frozenset(("terminated", "stopped"))

_IN_A_CALL = 200
"""Values of one filter. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html"""


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts whose instance has ended."""
    regions: dict[str, dict[str, dict[Token, Life]]] = {}
    for (name, region), there in by(lives, "instance_id", "region").items():
        regions.setdefault(region, {})[name] = there
    for region, machines in regions.items():
        client = aws.client("ec2", region=region or None)
        for some in chunks(machines, _IN_A_CALL):
            found = client.describe_instances(Filters=[{"Name": "instance-id", "Values": list(some)}])
            instances = [one for group in each(found, "Reservations") for one in each(group, "Instances")]
            for instance in instances:
                if inside(instance, "State").get("Name") in _ENDED:
                    yield from _ended(instance, some.get(str(instance.get("InstanceId")), {}))


def _ended(instance: Mapping[str, object], lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    fields = pick(instance, "InstanceId", "InstanceLifecycle", "StateReason", "StateTransitionReason")
    spot = instance.get("InstanceLifecycle") == "spot"
    capacity = CapacityType.SPOT if spot else CapacityType.ON_DEMAND
    answer = Answer("ec2", "DescribeInstances", fields).on(capacity.value)
    for token in lives:
        yield token, Proof(f"its machine {instance['InstanceId']}", answer.classified())

# SPDX-License-Identifier: Apache-2.0
"""Compute ``ecs``: AwsEcsExecutor runs each attempt as a task of Amazon ECS, placed by its capacity provider.

One provider for each capacity, so that what ran is certain. It takes the executor of
:mod:`airflow_interruptible.executors.ecs`: Amazon's own sends a launch type beside the provider unless the cluster has
a default strategy, which ECS refuses, and launches a reclaimed task again with what the dead attempt was given.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.executor_jobs import refuse_executor
from airflow_interruptible.compute.pair import Pair
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.compute.base import Slot
    from airflow_interruptible.core.capacity import CapacityType

FARGATE = Pair("FARGATE_SPOT", "FARGATE")
_EXAMPLE = '{"spot": "my-spot-provider", "on_demand": "my-provider"}'
_STRATEGY, _LAUNCH_TYPE = "capacityProviderStrategy", "launchType"
_SECTION = "aws_ecs_executor"


def providers_of(options: Mapping[str, Any]) -> Pair:
    """Return the two capacity providers; without options they are Fargate's.

    :raises ConfigurationError: the options cannot be meant.
    """
    return Pair.from_options("ecs", options, _EXAMPLE) if options else FARGATE


class EcsCompute:
    """Send spot attempts to one capacity provider and on-demand attempts to the other."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._providers = providers_of(options)

    def place(self, slot: Slot, capacity: CapacityType) -> Slot:
        """Return ``slot`` on the provider of ``capacity``; a strategy that the author chose stays."""
        if not self._movable(slot):
            return slot
        strategy = [{"capacityProvider": self._providers.name_of(capacity), "weight": 1}]
        return replace(slot, executor_config={**slot.executor_config, _STRATEGY: strategy})

    def check(self, slot: Slot) -> None:
        """Refuse a place of the author's own, and a deployment in which none of ours can be taken."""
        if not self._movable(slot):
            chosen = {name: slot.executor_config[name] for name in (_STRATEGY, _LAUNCH_TYPE) if name in _config(slot)}
            raise ConfigurationError(
                f"executor_config={chosen!r} and compute 'ecs' contradict each other: the next attempt would have to "
                f"leave that place. Drop it: attempts go to {self._providers.spot} or {self._providers.on_demand}."
            )
        refuse_executor("ecs", slot.executor)
        _refuse_launch_type(self._providers)

    def capacity_of(self, queue: str | None) -> CapacityType | None:  # noqa: ARG002 - the protocol's signature
        """Return None: the queue is not looked at."""
        return None

    def _movable(self, slot: Slot) -> bool:
        strategy = _config(slot).get(_STRATEGY)
        return not _config(slot).get(_LAUNCH_TYPE) and (strategy is None or self._is_one_of_ours(strategy))

    def _is_one_of_ours(self, strategy: object) -> bool:
        only = strategy[0] if isinstance(strategy, list) and len(strategy) == 1 else None
        return isinstance(only, dict) and self._providers.capacity_of(only.get("capacityProvider")) is not None


def _config(slot: Slot) -> Mapping[str, Any]:
    return slot.executor_config or {}


def _refuse_launch_type(providers: Pair) -> None:
    from airflow.configuration import conf

    launch_type = conf.get(_SECTION, "launch_type", fallback="") or ""
    if launch_type == "EXTERNAL" or (launch_type == "EC2" and providers == FARGATE):
        raise ConfigurationError(
            f"launch_type in section {_SECTION} of airflow.cfg is {launch_type!r}, and compute 'ecs' would send tasks "
            f"to {providers.spot} and {providers.on_demand}. Drop launch_type, or name the capacity providers of your "
            f"own hosts in compute_options: {_EXAMPLE}."
        )

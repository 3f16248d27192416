# SPDX-License-Identifier: Apache-2.0
"""Amazon EMR: clusters that are created with their steps, and end with them, by the market of their nodes.

Cluster and steps are one piece of work: whoever adds steps to a cluster that somebody else has made cannot help a retry
to another one. The primary node stays on demand, since without it the cluster is lost, and so do core nodes unless
somebody asks for them, since HDFS is on them.
https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-instances-guidelines.html

The surprising fact: the operator's ``wait_for_completion=True`` ends as soon as the cluster runs its first step.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.launched.aws import answers, error_of
from airflow_interruptible.launched.work import GONE, Seen, Work, refuse
from airflow_interruptible.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

_OVERRIDES = "job_flow_overrides"
_TO_THE_END = "wait_for_steps_completion"
"""``WaitPolicy.WAIT_FOR_STEPS_COMPLETION``, which is a text."""
_GROUPS, _FLEETS = "InstanceGroups", "InstanceFleets"
_MARKETS = {CapacityType.SPOT: "SPOT", CapacityType.ON_DEMAND: "ON_DEMAND"}
_NODES = ("TASK", "CORE")
_ALL_STEPS = "ALL_STEPS_COMPLETED"
_STATES = {
    "RUNNING": WorkState.AT_WORK,
    "WAITING": WorkState.AT_WORK,
    "TERMINATING": WorkState.ENDING,
    "TERMINATED": WorkState.OVER,
    "TERMINATED_WITH_ERRORS": WorkState.OVER,
}
"""Any other is before the first step. https://docs.aws.amazon.com/emr/latest/APIReference/API_ClusterStatus.html"""
_SHORTEST = 5
"""Minutes that a fleet must be given to find spot instances, at least.
https://docs.aws.amazon.com/emr/latest/APIReference/API_SpotProvisioningSpecification.html"""


class EmrClusters(Work):
    """Clusters of EMR with their steps. Options: ``nodes``, the kinds that may be on spot; ``["TASK"]`` without."""

    name = "emr"
    noun = "EMR cluster"
    owns = amends = frozenset({_OVERRIDES})
    ends_falsely = True

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse anything but kinds of nodes that may be lost."""
        nodes = options.get("nodes", list(_NODES[:1]))
        if set(options) - {"nodes"} or not isinstance(nodes, list) or not nodes or set(map(str, nodes)) - set(_NODES):
            raise ConfigurationError(
                f"compute 'emr' takes nodes, a list of TASK and CORE, got {dict(options)!r}: a cluster cannot lose its "
                'primary node. Write {"nodes": ["TASK"]}, or nothing.'
            )

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Refuse a cluster that is not waited for or outlives its steps, and nodes that are on demand or are none."""
        if (policy := arguments.get("wait_policy")) != _TO_THE_END:
            why = "nobody would see what becomes of the steps."
            instead = "Write wait_policy=WaitPolicy.WAIT_FOR_STEPS_COMPLETION."
            raise refuse("wait_policy", policy, why, instead)
        overrides = arguments.get(_OVERRIDES)
        overrides = overrides if isinstance(overrides, Mapping) else {}
        instances = overrides.get("Instances")
        if not isinstance(instances, Mapping):
            return  # a file, a template or the connection says it
        if instances.get("KeepJobFlowAliveWhenNoSteps"):
            why = "the cluster outlives its steps, and what uses it later would lose it."
            raise refuse("KeepJobFlowAliveWhenNoSteps", True, why, "Put the steps into the job flow, and drop it.")
        if not overrides.get("Steps"):
            why = "the tasks that add steps later cannot get another cluster when this one is lost."
            raise refuse("Steps", overrides.get("Steps"), why, "Put the steps into the job flow.")
        found = _of_nodes(instances, options)
        if not found:
            why = "there are no nodes that could be on spot."
            instead = f"Give it {' or '.join(_nodes(options))} nodes in InstanceGroups or InstanceFleets."
            raise refuse("Instances", dict(instances), why, instead)
        if any(one.get("Market") == "ON_DEMAND" for one in found):
            raise refuse(
                "Market", "ON_DEMAND", "these nodes are never on spot.", "Drop it, or say interruptible=False."
            )

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:
        """Return what the nodes ask for, None if they do not agree, or nothing says it."""
        overrides = arguments.get(_OVERRIDES)
        instances = overrides.get("Instances") if isinstance(overrides, Mapping) else None
        found = _of_nodes(instances, options) if isinstance(instances, Mapping) else []
        spot = {_wants_spot(one) for one in found}
        return {True: CapacityType.SPOT, False: CapacityType.ON_DEMAND}[spot.pop()] if len(spot) == 1 else None

    def completed(self, task: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments with the text of a template read, and with what only the connection says."""
        overrides = task.job_flow_overrides
        overrides = dict(ast.literal_eval(overrides) if isinstance(overrides, str) else overrides)
        connection = _of_connection(task) if {"Instances", "Steps"} - set(overrides) else {}
        missing = {name: connection[name] for name in ("Instances", "Steps") if name in connection}
        return {**arguments, _OVERRIDES: {**missing, **overrides}}

    def placed(
        self, arguments: Mapping[str, Any], options: Mapping[str, Any], capacity: CapacityType
    ) -> dict[str, Any]:
        """Return a copy of the overrides in which the nodes ask for ``capacity``."""
        overrides = deepcopy(dict(arguments[_OVERRIDES]))
        for one in _of_nodes(overrides["Instances"], options):
            if "InstanceRole" in one:
                one["Market"] = _MARKETS[capacity]
                if capacity is CapacityType.ON_DEMAND:
                    one.pop("BidPrice", None)
            else:
                _place_fleet(one, capacity)
        return {_OVERRIDES: overrides}

    def hearing(self, task: Any, heard: Callable[[str], None], attached: str | None) -> AbstractContextManager[object]:
        """Hear of the id that RunJobFlow answers with."""
        instead = {"JobFlowId": attached, "ResponseMetadata": {"HTTPStatusCode": 200}} if attached else None
        return answers(task.hook.conn, "emr.RunJobFlow", lambda answer: answer.get("JobFlowId"), heard, instead)

    def attach(self, task: Any, job: str) -> None:
        """The operator creates a cluster in any case, and is answered with this one."""
        task._job_flow_id = job  # noqa: SLF001 - where the operator keeps it; its ``execute`` writes it again

    def look(self, task: Any, job: str) -> Seen:
        """Return what DescribeCluster says."""
        try:
            status = task.hook.conn.describe_cluster(ClusterId=job)["Cluster"]["Status"]
        except Exception as error:
            if error_of(error)[0] == "InvalidRequestException":  # "Cluster id is not valid."
                return GONE
            raise
        state = _STATES.get(status["State"], WorkState.WAITING)
        reason = status.get("StateChangeReason", {}).get("Code")
        return Seen(state, status["State"] == "TERMINATED" and reason == _ALL_STEPS)

    def stop(self, task: Any, job: str) -> None:
        """TerminateJobFlows."""
        task.hook.conn.terminate_job_flows(JobFlowIds=[job])


def _nodes(options: Mapping[str, Any]) -> list[str]:
    return list(options.get("nodes", _NODES[:1]))


def _of_nodes(instances: Mapping[str, Any], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups or fleets of the nodes that may be on spot."""
    every = [*instances.get(_GROUPS, ()), *instances.get(_FLEETS, ())]
    kinds = _nodes(options)
    return [one for one in every if one.get("InstanceRole", one.get("InstanceFleetType")) in kinds]


def _wants_spot(one: Mapping[str, Any]) -> bool:
    if "InstanceRole" in one:
        return one.get("Market") == "SPOT"
    return bool(one.get("TargetSpotCapacity")) and not one.get("TargetOnDemandCapacity")


def _place_fleet(fleet: dict[str, Any], capacity: CapacityType) -> None:
    """Let one market give what both were to give. For spot, EMR wants to know what to do when there is none."""
    wanted = fleet.get("TargetSpotCapacity", 0) + fleet.get("TargetOnDemandCapacity", 0)
    on_spot = capacity is CapacityType.SPOT
    fleet["TargetSpotCapacity"], fleet["TargetOnDemandCapacity"] = (wanted, 0) if on_spot else (0, wanted)
    if on_spot:
        minutes = max(_SHORTEST, math.ceil(get_settings().spot_timeout.total_seconds() / 60))
        ours = {"TimeoutDurationMinutes": minutes, "TimeoutAction": "TERMINATE_CLUSTER"}
        fleet.setdefault("LaunchSpecifications", {}).setdefault("SpotSpecification", ours)


def _of_connection(task: Any) -> Mapping[str, Any]:
    """The request that the connection of the operator holds, to which its arguments are laid over."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    if not task.emr_conn_id:
        return {}
    try:
        extra: Mapping[str, Any] = BaseHook.get_connection(task.emr_conn_id).extra_dejson
    except AirflowNotFoundException:
        return {}
    return extra

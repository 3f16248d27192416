# SPDX-License-Identifier: Apache-2.0
"""EmrCreateJobFlowOperator as it is installed, made interruptible, against an EMR whose clusters end as a test says."""

from __future__ import annotations

import json
import os
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.amazon")
from airflow.providers.amazon.aws.operators.emr import EmrCreateJobFlowOperator
from airflow.providers.amazon.aws.utils.waiter import WaitPolicy

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_api.emr import Cluster, Emr
    from aws_api.server import AwsApi

MASTER = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
TASK = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 4}
STEPS = [{"Name": "count", "HadoopJarStep": {"Jar": "command-runner.jar"}, "ActionOnFailure": "TERMINATE_CLUSTER"}]


def flow(groups: Any = (MASTER, TASK), **said: Any) -> dict[str, Any]:
    return {"Name": "n", "Instances": {"InstanceGroups": list(groups)}, "Steps": STEPS, **said}


def create(overrides: Any = None, **arguments: Any) -> Any:
    given = {"task_id": "work", "job_flow_overrides": flow() if overrides is None else overrides, "emr_conn_id": None}
    given |= {"wait_policy": WaitPolicy.WAIT_FOR_STEPS_COMPLETION}
    given |= {"interruptible": True, "retries": 2, "system_retries": 3, **arguments}
    return interruptible(EmrCreateJobFlowOperator)(**given)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator takes a delay of zero seconds for its default."""
    monkeypatch.setattr("botocore.waiter.time", SimpleNamespace(sleep=lambda _: None))


def markets(api: AwsApi) -> list[Any]:
    return [
        {group["InstanceRole"]: group.get("Market") for group in one["Instances"]["InstanceGroups"]}
        for one in api.requests("RunJobFlow")
    ]


ON_SPOT, ON_DEMAND = {"MASTER": None, "TASK": "SPOT"}, {"MASTER": None, "TASK": "ON_DEMAND"}


def ends(state: str, code: str, message: str = "") -> Callable[[Cluster], None]:
    return lambda cluster: cluster.end(state, code, message)


complete = ends("TERMINATED", "ALL_STEPS_COMPLETED", "Steps completed")


def test_lost_nodes_are_forgiven_and_the_last_attempt_is_on_demand(attempts: Any, api: AwsApi, emr: Emr) -> None:
    lost = attempts(lambda: create(retries=1))
    emr.watching = ends("TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE", "All slaves in the job flow were terminated")
    assert lost.run() == "retry"
    emr.watching = ends("TERMINATED_WITH_ERRORS", "STEP_FAILURE", "Shut down as step failed")
    assert lost.run() == "retry"
    emr.watching = complete
    assert lost.run() == "success"
    assert markets(api) == [ON_SPOT, ON_SPOT, ON_DEMAND]
    assert lost.causes == ["spot_interruption", "application", None]
    assert lost.charges == ["system", "user", None]
    assert lost.capacities == ["spot", "spot", "on-demand"]


def test_a_cluster_that_somebody_terminated_is_no_success(attempts: Any, api: AwsApi, emr: Emr) -> None:
    """The operator takes ``TERMINATED`` for a success, whoever did it."""
    ended = attempts(create)
    emr.watching = ends("TERMINATED", "USER_REQUEST", "Terminated by user request")
    assert ended.run() == "retry"
    assert (ended.causes, ended.charges) == (["application"], ["user"])


def test_a_fleet_that_finds_no_spot_leads_to_on_demand(attempts: Any, api: AwsApi, emr: Emr) -> None:
    fleets = [
        {"InstanceFleetType": "MASTER", "TargetOnDemandCapacity": 1},
        {"InstanceFleetType": "TASK", "TargetSpotCapacity": 3, "TargetOnDemandCapacity": 1},
    ]
    short = attempts(lambda: create({"Name": "n", "Instances": {"InstanceFleets": fleets}, "Steps": STEPS}))
    emr.watching = ends("TERMINATED_WITH_ERRORS", "INSTANCE_FLEET_TIMEOUT", "Provisioning timed out")
    assert short.run() == "retry"
    emr.watching = complete
    assert short.run() == "success"
    assert short.causes == ["no_capacity", None]
    asked = [one["Instances"]["InstanceFleets"][1] for one in api.requests("RunJobFlow")]
    assert [(one["TargetSpotCapacity"], one["TargetOnDemandCapacity"]) for one in asked] == [(4, 0), (0, 4)]
    patience = asked[0]["LaunchSpecifications"]["SpotSpecification"]
    assert patience == {"TimeoutDurationMinutes": 5, "TimeoutAction": "TERMINATE_CLUSTER"}


def test_what_only_the_connection_says_is_placed(
    attempts: Any, api: AwsApi, emr: Emr, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {**flow(), "LogUri": "s3://logs"}
    monkeypatch.setenv("AIRFLOW_CONN_EMR_TEST", json.dumps({"conn_type": "emr", "extra": extra}))
    emr.watching = complete
    assert attempts(lambda: create({"Name": "other"}, emr_conn_id="emr_test")).run() == "success"
    (request,) = api.requests("RunJobFlow")
    assert (request["Name"], request["LogUri"]) == ("other", "s3://logs")
    assert markets(api) == [ON_SPOT]


def test_a_text_of_a_template_is_read(attempts: Any, api: AwsApi, emr: Emr) -> None:
    emr.watching = complete
    assert attempts(lambda: create(repr(flow()))).run() == "success"
    assert markets(api) == [ON_SPOT]
    wrong = attempts(lambda: create(repr(flow([MASTER]))))
    assert wrong.run() == "failed"
    assert "no nodes that could be on spot" in str(wrong.errors[0])


def test_a_signal_terminates_the_cluster(attempts: Any, api: AwsApi, emr: Emr) -> None:
    told = attempts(create)
    emr.watching = lambda cluster: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert {cluster.code for cluster in emr.clusters.values()} == {"USER_REQUEST"}


def test_a_signal_before_there_is_a_cluster_stops_nothing(attempts: Any, api: AwsApi) -> None:
    attempts(create).parsed().on_kill()
    assert api.asked == []


def test_a_cluster_that_outlives_its_worker_is_gone_on_with(attempts: Any, api: AwsApi, emr: Emr, killer: Any) -> None:
    lost = attempts(create)
    assert lost.run() == "killed"
    killer.armed = False
    seen: list[Cluster] = []

    def watch(cluster: Cluster) -> None:
        seen.append(cluster)
        if len(seen) > 2:
            complete(cluster)

    emr.watching = watch
    assert lost.run() == "success"
    assert list(emr.clusters) == ["j-1"]
    assert lost.causes == ["infrastructure", None]


def test_on_the_last_user_attempt_work_on_spot_is_ended_first(
    attempts: Any, api: AwsApi, emr: Emr, killer: Any
) -> None:
    lost = attempts(create)
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: create(retries=0)
    emr.watching = lambda cluster: complete(cluster) if cluster.id == "j-2" else None
    assert lost.run() == "success"
    assert [cluster.code for cluster in emr.clusters.values()] == ["USER_REQUEST", "ALL_STEPS_COMPLETED"]
    assert markets(api) == [ON_SPOT, ON_DEMAND]


@pytest.mark.usefixtures("sync_triggers")
@pytest.mark.parametrize(("code", "ended"), [("ALL_STEPS_COMPLETED", "success"), ("INSTANCE_FAILURE", "retry")])
def test_deferrable(attempts: Any, api: AwsApi, emr: Emr, code: str, ended: str) -> None:
    deferred = attempts(lambda: create(deferrable=True, wait_for_completion=True))
    emr.watching = ends("TERMINATED" if ended == "success" else "TERMINATED_WITH_ERRORS", code)
    assert deferred.run() == ended
    assert markets(api) == [ON_SPOT]
    assert deferred.causes == [None if ended == "success" else "spot_interruption"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"wait_policy": None}, "WAIT_FOR_STEPS_COMPLETION"),
        ({"wait_policy": WaitPolicy.WAIT_FOR_COMPLETION}, "WAIT_FOR_STEPS_COMPLETION"),
        ({"overrides": flow([MASTER, {**TASK, "Market": "ON_DEMAND"}])}, "Market='ON_DEMAND' and an interruptible"),
        ({"overrides": flow([MASTER])}, "no nodes that could be on spot"),
        ({"overrides": flow(Steps=[])}, "cannot get another cluster"),
        (
            {"overrides": flow(Instances={"InstanceGroups": [TASK], "KeepJobFlowAliveWhenNoSteps": True})},
            "the cluster outlives its steps",
        ),
        ({"compute": {"name": "emr", "nodes": ["MASTER"]}}, "a list of TASK and CORE"),
    ],
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, arguments: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempts(lambda: create(**arguments)).parsed()


def test_mapped_over_job_flows(attempts: Any) -> None:
    operator = interruptible(EmrCreateJobFlowOperator)
    given = {"task_id": "work", "interruptible": True, "wait_policy": WaitPolicy.WAIT_FOR_STEPS_COMPLETION}

    def mapped(flows: list[Any]) -> Any:
        return attempts(lambda: operator.partial(**given).expand(job_flow_overrides=flows)).parsed()

    mapped([flow(), flow(Name="other")])
    with pytest.raises(ConfigurationError, match="no nodes that could be on spot"):
        mapped([flow(), flow([MASTER])])

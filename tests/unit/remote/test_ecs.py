# SPDX-License-Identifier: Apache-2.0
"""ECS tasks, described by a client that checks its answers against AWS's model, and once by moto."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.remote import evidence_of, look_back

ARN = "arn:aws:ecs:us-east-1:1:task/c/t"
INSTANCE = "i-08784105ffff56b4f"
HOST_GONE = f"Host EC2 (instance {INSTANCE}) terminated."


@pytest.fixture
def operator(aws: None) -> Any:
    from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator

    from airflow_interruptible import interruptible

    return interruptible(EcsRunTaskOperator)(
        task_id="work", task_definition="d", cluster="c", overrides={}, region_name="us-east-1"
    )


def described(**task: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    answer = {"tasks": [{"taskArn": ARN, "lastStatus": "STOPPED", **task}]}
    return "describe_tasks", {"cluster": "c", "tasks": [ARN]}, answer


def instances(*found: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    named = {"Filters": [{"Name": "instance-id", "Values": [INSTANCE]}]}
    return "describe_instances", named, {"Reservations": [{"Instances": list(found)}] if found else []}


def requests(*found: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    named = {"Filters": [{"Name": "instance-id", "Values": [INSTANCE]}]}
    return "describe_spot_instance_requests", named, {"SpotInstanceRequests": list(found)}


@pytest.mark.parametrize(
    ("slug", "rule"),
    [
        ("ecs/spot-stop-code", "ecs/spot-stop-code"),
        ("ecs/own-exit", "ecs/own-exit"),
        ("ecs/oom", "ecs/oom"),
    ],
)
def test_the_task_says_it_whatever_the_text_says(
    slug: str, rule: str, operator: Any, golden: Any, decided: Any
) -> None:
    operator.arn = ARN
    assert decided(operator, "ecs", described(**golden(slug))) == rule


def test_after_a_deferral_the_event_or_the_xcom_names_the_task(
    operator: Any, decided: Any, context: dict[str, Any], raised: Any
) -> None:
    stopped = described(stopCode="SpotInterruption", stoppedReason="Your Spot Task was interrupted.")
    failed = raised("airflow.providers.amazon", RuntimeError(f"Error in task execution: {{'task_arn': '{ARN}'}}"))
    assert decided(operator, "ecs", stopped, error=failed) == "ecs/spot-stop-code"

    context["xcoms"]["ecs_task_arn"] = ARN
    assert decided(operator, "ecs", stopped) == "ecs/spot-stop-code"


@pytest.mark.parametrize(
    ("calls", "rule"),
    [
        ([instances({"InstanceId": INSTANCE, "InstanceLifecycle": "spot"})], "ecs/host-gone-on-spot"),
        ([instances({"InstanceId": INSTANCE})], "ecs/host-gone"),
        ([instances(), requests({"InstanceId": INSTANCE})], "ecs/host-gone-on-spot"),
        ([instances(), requests()], "ecs/host-gone"),
        ([("describe_instances", instances()[1], {"Error": {"Code": "UnauthorizedOperation"}})], "ecs/host-gone"),
    ],
)
def test_ec2_is_asked_whether_the_lost_host_was_spot(
    calls: Any, rule: str, operator: Any, decided: Any, answering: Any
) -> None:
    operator.arn = ARN
    answering("ec2", *calls)
    lost = described(stopCode="TaskFailedToStart", stoppedReason=HOST_GONE)
    assert decided(operator, "ecs", lost) == rule


def test_a_task_that_runs_on_leaves_the_exception(operator: Any, decided: Any) -> None:
    operator.arn = ARN
    assert decided(operator, "ecs", described(lastStatus="RUNNING")) == "ecs/host-gone"


def test_a_missing_permission_leaves_the_exception(
    operator: Any, decided: Any, caplog: pytest.LogCaptureFixture
) -> None:
    operator.arn = ARN
    name, named, _ = described()
    refused = (name, named, {"Error": {"Code": "AccessDeniedException"}})
    with caplog.at_level("DEBUG", "airflow_interruptible.remote"):
        assert decided(operator, "ecs", refused) == "ecs/host-gone"
    ours = [record for record in caplog.records if record.name.startswith("airflow_interruptible")]
    assert [record.levelname for record in ours] == ["DEBUG"]


def test_a_refused_task_is_judged_by_the_refusal(operator: Any, golden: Any, raised: Any, rule_of: Any) -> None:
    from airflow.providers.amazon.aws.exceptions import EcsOperatorError

    error = EcsOperatorError(golden("ecs/no-room")["failures"], "refused")
    assert rule_of(operator, raised("airflow.providers.amazon", error)) == "ecs/no-room"


def test_the_apis_own_error_counts_only_if_the_operator_asked(
    operator: Any, stubbed: Any, context: dict[str, Any], judged: Any
) -> None:
    def ask(module: str) -> Any:
        client = stubbed("ecs", ("run_task", {"taskDefinition": "d"}, {"Error": {"Code": "InsufficientCapacity"}}))
        try:
            exec("client.run_task(taskDefinition='d')", {"__name__": module, "client": client})
        except Exception as error:
            return judged(evidence_of(operator, error, context))

    assert ask("airflow.providers.amazon.aws.operators.ecs").cause is Cause.NO_CAPACITY
    assert ask("my_dag").cause is Cause.UNKNOWN


def test_looking_back_at_a_task(answering: Any, judged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER", "c")
    answering("ecs", described(stopCode="TaskFailedToStart", stoppedReason=HOST_GONE))
    answering("ec2", ("describe_instances", instances()[1], {"Error": {"Code": "UnauthorizedOperation"}}))
    assert judged(look_back({"ecs_task": ARN}, CapacityType.SPOT)).rule == "ecs/host-gone-on-spot"


def test_with_the_providers_own_client(operator: Any, context: dict[str, Any], judged: Any) -> None:
    """Moto cannot reclaim, so the reason is put into its store; the rest is the operator's hook and botocore."""
    moto = pytest.importorskip("moto")
    import boto3

    with moto.mock_aws():
        client = boto3.client("ecs", region_name="us-east-1")
        client.create_cluster(clusterName="c")
        container = {"name": "x", "image": "x", "memory": 1}
        client.register_task_definition(family="d", containerDefinitions=[container])
        network = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
        run = client.run_task(cluster="c", taskDefinition="d", launchType="FARGATE", networkConfiguration=network)
        operator.arn = run["tasks"][0]["taskArn"]
        (task,) = moto.backends.get_backend("ecs")["123456789012"]["us-east-1"].tasks["c"].values()
        task.last_status, task.stop_code = "STOPPED", "SpotInterruption"

        answer = judged(evidence_of(operator, ValueError("logs"), context, deadline_seconds=60))

    assert (answer.cause, answer.rule) == (Cause.SPOT_INTERRUPTION, "ecs/spot-stop-code")


def test_rubbish_is_no_evidence(operator: Any, rule_of: Any) -> None:
    operator.arn = ARN
    for answer in (
        None,
        3,
        {"tasks": 3},
        {"tasks": [None, 3]},
        {"tasks": [{"lastStatus": "STOPPED", "containers": 5}]},
    ):
        client = SimpleNamespace(describe_tasks=lambda answer=answer, **_: answer)
        object.__setattr__(operator, "hook", SimpleNamespace(conn=client))
        assert rule_of(operator) in (None, "ecs/host-gone")

# SPDX-License-Identifier: Apache-2.0
"""EC2, ECS and Batch by clients that check both sides against AWS's own model: one call for many, ended or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from unit.remote.presence.conftest import BEGUN

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.remote.presence import batch, ec2, ecs

pytestmark = pytest.mark.usefixtures("aws")

A, B, C = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb", "i-0cccccccccccccccc"


def instances(*found: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    rows = [{"InstanceId": name, "State": {"Name": state}, **more} for name, state, more in found]
    return {"Reservations": [{"Instances": rows}]}


def by_name(*names: str) -> dict[str, Any]:
    return {"Filters": [{"Name": "instance-id", "Values": list(names)}]}


def test_ended_instances_in_one_call(answering: Any, life: Any) -> None:
    reclaimed = {"InstanceLifecycle": "spot", "StateReason": {"Code": "Server.SpotInstanceTermination", "Message": "m"}}
    answering(
        "ec2",
        (
            "describe_instances",
            by_name(A, B, C),
            instances((A, "terminated", reclaimed), (B, "running", {}), (C, "shutting-down", {})),
        ),
    )
    lives = {number: life("CeleryExecutor", instance_id=name) for number, name in enumerate((A, A, B, C))}
    proofs = dict(ec2.gone(lives))
    assert set(proofs) == {0, 1}, "both attempts on the machine, and no other"
    assert proofs[0].what == f"its machine {A}"
    assert proofs[0].cause is not None
    assert proofs[0].cause.cause is Cause.SPOT_INTERRUPTION


def test_an_instance_that_is_not_found_proves_nothing(answering: Any, life: Any) -> None:
    answering("ec2", ("describe_instances", by_name(A), {"Reservations": []}))
    assert not list(ec2.gone({1: life(instance_id=A)}))


def test_two_hundred_in_a_call(answering: Any, life: Any) -> None:
    names = [f"i-{number:017x}" for number in range(201)]
    answering(
        "ec2",
        ("describe_instances", by_name(*names[:200]), instances((names[0], "stopped", {}))),
        ("describe_instances", by_name(names[200]), instances((names[200], "terminated", {}))),
    )
    assert set(dict(ec2.gone({name: life(instance_id=name) for name in names}))) == {names[0], names[200]}


def test_a_refusal_is_raised_for_who_asks_the_places(answering: Any, life: Any) -> None:
    answering("ec2", ("describe_instances", by_name(A), {"Error": {"Code": "UnauthorizedOperation"}}))
    with pytest.raises(Exception, match="UnauthorizedOperation"):
        list(ec2.gone({1: life(instance_id=A)}))


def test_nobody_is_asked_about_other_workers(life: Any) -> None:
    for place in (ec2, ecs, batch):
        assert not list(place.gone({1: life(), 2: life("CeleryExecutor", "celery-id")}))


ARN = "arn:aws:ecs:us-east-1:1:task/c/0123"


@pytest.mark.parametrize(
    ("status", "cause"), [("STOPPED", Cause.SPOT_INTERRUPTION), ("RUNNING", None), ("DEPROVISIONING", None)]
)
def test_a_stopped_task_of_the_ecs_executor(
    answering: Any, life: Any, monkeypatch: pytest.MonkeyPatch, status: str, cause: Cause | None
) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER", "c")
    task = {"taskArn": ARN, "lastStatus": status, "stopCode": "SpotInterruption"}
    asked = {"cluster": "c", "tasks": [ARN]}
    answering("ecs", ("describe_tasks", asked, {"tasks": [task], "failures": [{"arn": "other", "reason": "MISSING"}]}))
    proofs = dict(ecs.gone({1: life("AwsEcsExecutor", ARN)}))
    assert [proof.cause and proof.cause.cause for proof in proofs.values()] == ([cause] if cause else [])
    assert all(proof.what == "its ECS task 0123" for proof in proofs.values())


OWN = "0123456789abcdef0123456789abcdef"
LATER = BEGUN + timedelta(seconds=40)


@pytest.mark.parametrize(("own", "asked"), [(OWN, OWN), (f"{ARN}4", f"{ARN}4"), ("no name\n", ARN), ("", ARN)])
def test_what_the_container_found_out_counts_more_than_the_executor_s_name(
    answering: Any, life: Any, own: str, asked: str
) -> None:
    """The executor starts a lost task anew, by itself, and names the new one."""
    known = asked if "/" in asked else f"arn:aws:ecs:us-east-1:1:task/c/{asked}"
    stopped = {"taskArn": known, "lastStatus": "STOPPED", "stopCode": "SpotInterruption", "createdAt": BEGUN}
    answering("ecs", ("describe_tasks", {"tasks": [asked]}, {"tasks": [stopped]}))
    assert len(dict(ecs.gone({1: life("AwsEcsExecutor", ARN, ecs_task=own)}))) == 1


def test_a_copy_that_the_ecs_executor_has_started_since_tells_nothing(answering: Any, life: Any) -> None:
    copy = {
        "taskArn": ARN,
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "containers": [{"exitCode": 1}],
        "createdAt": LATER,
    }
    answering("ecs", ("describe_tasks", {"tasks": [ARN]}, {"tasks": [copy]}))
    assert not dict(ecs.gone({1: life("AwsEcsExecutor", ARN)}))


def test_a_copy_that_the_batch_executor_has_submitted_since_tells_nothing(answering: Any, life: Any) -> None:
    copy = job(status="FAILED", container={"exitCode": 1}, createdAt=int(LATER.timestamp() * 1000))
    answering("batch", ("describe_jobs", {"jobs": ["j"]}, {"jobs": [copy]}))
    assert not dict(batch.gone({1: life("AwsBatchExecutor", "j")}))


def test_the_job_s_own_id_counts_more_than_the_executor_s(answering: Any, life: Any) -> None:
    own = "11112222-3333-4444-5555-666677778888"
    answering("batch", ("describe_jobs", {"jobs": [own]}, {"jobs": [job(jobId=own, status="FAILED")]}))
    assert len(dict(batch.gone({1: life("AwsBatchExecutor", "j", batch_job=own)}))) == 1


def job(**more: Any) -> dict[str, Any]:
    return {"jobName": "n", "jobId": "j", "jobQueue": "q", "startedAt": 1, "jobDefinition": "d", **more}


@pytest.mark.parametrize(
    ("answer", "attempt", "gone"),
    [
        ({"status": "RUNNING"}, "1", False),
        ({"status": "FAILED", "statusReason": "Host EC2 (instance i-0abc) terminated."}, "", True),
        ({"status": "RUNNING", "attempts": [{"statusReason": "Host EC2 (instance i-0abc) terminated."}]}, "1", True),
        ({"status": "RUNNING", "attempts": [{"statusReason": "Host EC2 (instance i-0abc) terminated."}]}, "2", False),
    ],
)
def test_a_job_of_the_batch_executor(answering: Any, life: Any, answer: Any, attempt: str, gone: bool) -> None:
    answering("batch", ("describe_jobs", {"jobs": ["j"]}, {"jobs": [job(**answer)]}))
    proofs = dict(batch.gone({1: life("AwsBatchExecutor", "j", batch_attempt=attempt)}))
    assert [proof.what for proof in proofs.values()] == (["its Batch job j"] if gone else [])

# SPDX-License-Identifier: Apache-2.0
"""EC2 instances that an attempt ran on: stubbed where moto cannot reclaim, and moto behind the provider's hook."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.remote import aws as aws_services
from airflow_interruptible.remote import look_back
from airflow_interruptible.remote.ec2 import lifecycle

NAME = "i-08784105ffff56b4f"
NAMED = {"Filters": [{"Name": "instance-id", "Values": [NAME]}]}


def described(instance: dict[str, Any] | None, code: str | None) -> Any:
    found = [] if instance is None else [{"Instances": [{"InstanceId": NAME, **instance}]}]
    requests = [] if code is None else [{"InstanceId": NAME, "Status": {"Code": code}}]
    return (
        ("describe_instances", NAMED, {"Reservations": found}),
        ("describe_spot_instance_requests", NAMED, {"SpotInstanceRequests": requests}),
    )


TERMINATED = {"State": {"Name": "terminated"}}


@pytest.mark.parametrize(
    ("instance", "code", "cause"),
    [
        (
            {**TERMINATED, "InstanceLifecycle": "spot", "StateReason": {"Code": "Server.SpotInstanceTermination"}},
            "instance-terminated-no-capacity",
            Cause.SPOT_INTERRUPTION,
        ),
        (None, "instance-terminated-by-price", Cause.SPOT_INTERRUPTION),
        (
            {**TERMINATED, "StateReason": {"Code": "Client.UserInitiatedShutdown"}, "InstanceLifecycle": "spot"},
            "instance-terminated-by-user",
            Cause.USER_ACTION,
        ),
        ({**TERMINATED, "StateReason": {"Code": "Server.InternalError"}}, None, Cause.INFRASTRUCTURE),
        ({**TERMINATED, "StateTransitionReason": "User initiated"}, None, Cause.USER_ACTION),
        ({"State": {"Name": "running"}, "InstanceLifecycle": "spot"}, "fulfilled", None),
        (None, None, None),
    ],
)
def test_why_an_instance_ended(instance: Any, code: Any, *, cause: Any, answering: Any, judged: Any) -> None:
    answering("ec2", *described(instance, code))
    evidence = look_back({"instance_id": NAME}, CapacityType.SPOT)

    assert getattr(judged(evidence), "cause", None) is cause
    assert evidence is None or evidence.names == {("instance", NAME)}


def test_the_real_hook_against_moto(aws: None, judged: Any) -> None:
    moto = pytest.importorskip("moto")
    import boto3

    with moto.mock_aws():
        client = boto3.client("ec2", region_name="us-east-1")
        image = client.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        spot = {"MarketType": "spot"}
        run = client.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceMarketOptions=spot)
        name = run["Instances"][0]["InstanceId"]

        assert lifecycle(aws_services.client("ec2"), name) == "spot"
        assert lifecycle(aws_services.client("ec2"), NAME) is None
        assert look_back({"instance_id": name, "region": "us-east-1"}, None) is None

        client.terminate_instances(InstanceIds=[name])
        answer = judged(look_back({"instance_id": name, "region": "us-east-1"}, CapacityType.SPOT))
        assert answer.cause is Cause.USER_ACTION


def test_an_unknown_connection_is_no_warning(
    aws: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    def missing(_: str) -> None:
        raise AirflowNotFoundException

    monkeypatch.setattr(BaseHook, "get_connection", missing)
    client = aws_services.client("ec2", region="eu-west-1")

    assert client.meta.region_name == "eu-west-1"
    assert client.meta.config.connect_timeout == 2
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert not [record for record in caplog.records if record.levelname == "WARNING"]

# SPDX-License-Identifier: Apache-2.0
"""EmrServerlessStartJobOperator as it is installed, made interruptible, against runs that end as a test says."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

pytest.importorskip("airflow.providers.amazon")
from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from aws_api.emr_serverless import EmrServerless, JobRun
    from aws_api.server import AwsApi

_MODEL = botocore.session.get_session().get_service_model("emr-serverless").operation_model("StartJobRun")
pytestmark = pytest.mark.skipif(
    "flexExecution" not in _MODEL.input_shape.members, reason="this boto3 does not know flexible capacity"
)


def start(**arguments: Any) -> Any:
    given = {
        "task_id": "work",
        "application_id": "app",
        "execution_role_arn": "arn:aws:iam::123456789012:role/r",
        "waiter_delay": 0,
    }
    given |= {"job_driver": {"sparkSubmit": {"entryPoint": "s3://b/x.py"}}, "waiter_max_attempts": 1000}
    given |= {"interruptible": True, "retries": 2, "system_retries": 3, **arguments}
    return interruptible(EmrServerlessStartJobOperator)(**given)


def asked(api: AwsApi) -> list[Any]:
    return [one["flexExecution"]["enabled"] for one in api.requests("POST /applications/app/jobruns")]


FAILED = "Job failed, please check complete logs in configured logging destination. ExitCode: 1."


def test_the_last_attempt_is_on_standard_capacity(attempts: Any, api: AwsApi, emr_serverless: EmrServerless) -> None:
    """EMR Serverless does not say why a run failed, so it is the author's."""
    failed = attempts(lambda: start(retries=1, config={"name": "n"}))
    emr_serverless.watching = lambda run: run.end("FAILED", FAILED)
    assert failed.run() == "retry"
    emr_serverless.watching = lambda run: run.end("SUCCESS")
    assert failed.run() == "success"
    assert asked(api) == [True, False]
    assert failed.charges == ["user", None]
    assert failed.capacities == ["spot", "on-demand"]
    assert failed.record.where["launched_vcpu_hours"] == "1.5"


def test_a_token_of_the_author_is_another_for_the_next_attempt(
    attempts: Any, api: AwsApi, emr_serverless: EmrServerless
) -> None:
    """The same one would return the run that has failed."""
    fixed = attempts(lambda: start(client_request_token="mine"))
    emr_serverless.watching = lambda run: run.end("FAILED", FAILED)
    assert fixed.run() == "retry"
    emr_serverless.watching = lambda run: run.end("SUCCESS")
    assert fixed.run() == "success"
    tokens = [one["clientToken"] for one in api.requests("POST /applications/app/jobruns")]
    assert tokens == ["mine", "mine-2"]


def test_a_signal_cancels_the_run(attempts: Any, api: AwsApi, emr_serverless: EmrServerless) -> None:
    told = attempts(start)
    emr_serverless.watching = lambda run: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert [run.state for run in emr_serverless.runs.values()] == ["CANCELLED"]


def test_a_run_that_outlives_its_worker_is_gone_on_with(
    attempts: Any, api: AwsApi, emr_serverless: EmrServerless, killer: Any
) -> None:
    lost = attempts(start)
    assert lost.run() == "killed"
    killer.armed = False
    seen: list[JobRun] = []

    def watch(run: JobRun) -> None:
        seen.append(run)
        if len(seen) > 2:
            run.end("SUCCESS")

    emr_serverless.watching = watch
    assert lost.run() == "success"
    assert list(emr_serverless.runs) == ["run-1"]
    assert lost.causes == ["infrastructure", None]


def test_on_the_last_user_attempt_a_flexible_run_is_ended_first(
    attempts: Any, api: AwsApi, emr_serverless: EmrServerless, killer: Any
) -> None:
    lost = attempts(start)
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: start(retries=0)
    emr_serverless.watching = lambda run: run.end("SUCCESS") if run.id == "run-2" else None
    assert lost.run() == "success"
    assert [run.state for run in emr_serverless.runs.values()] == ["CANCELLED", "SUCCESS"]
    assert asked(api) == [True, False]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"config": {"flexExecution": {"enabled": False}}}, "never on spare capacity"),
        ({"config": {"retryPolicy": {"maxAttempts": 3}}}, "EMR would try again by itself"),
        ({"wait_for_completion": False}, "nobody would see"),
        ({"compute": {"name": "emr_serverless", "spot": "a"}}, "takes no options"),
    ],
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, arguments: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempts(lambda: start(**arguments)).parsed()


def test_where_boto3_does_not_know_the_field(
    attempts: Any, api: AwsApi, emr_serverless: EmrServerless, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An adopted run starts as its author wrote it."""
    from botocore.validate import ParamValidator

    whole = ParamValidator.validate

    def validate(self: Any, params: Any, shape: Any) -> Any:
        report = whole(self, params, shape)
        if "flexExecution" in params:
            report.report("", "unknown field", unknown_param="flexExecution", valid_names=["name"])
        return report

    monkeypatch.setattr(ParamValidator, "validate", validate)
    emr_serverless.watching = lambda run: run.end("SUCCESS")
    adopted = attempts(lambda: start(interruptible=None), {"default_args": {"interruptible": True}})
    assert adopted.run() == "success"
    assert [one.get("flexExecution") for one in api.requests("POST /applications/app/jobruns")] == [None]

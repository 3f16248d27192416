# SPDX-License-Identifier: Apache-2.0
"""GlueJobOperator as it is installed, made interruptible, against a Glue whose runs end as a test says."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.amazon")
from airflow.providers.amazon.aws.operators.glue import GlueJobOperator

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from aws_api.glue import Glue, JobRun
    from aws_api.server import AwsApi


def run_job(**arguments: Any) -> Any:
    given = {"task_id": "work", "job_name": "j", "job_poll_interval": 0, "waiter_delay": 0}
    given |= {"interruptible": True, "retries": 2, "system_retries": 3, **arguments}
    return interruptible(GlueJobOperator)(**given)


def asked(api: AwsApi) -> list[Any]:
    return [one["ExecutionClass"] for one in api.requests("StartJobRun")]


UNAVAILABLE = "Error Category: RESOURCE_NOT_FOUND_ERROR; Resource unavailable"


def test_no_spare_capacity_leads_to_standard(attempts: Any, api: AwsApi, glue: Glue) -> None:
    short = attempts(lambda: run_job(run_job_kwargs={"WorkerType": "G.1X", "NumberOfWorkers": 2}))
    glue.watching = lambda run: run.end("FAILED", UNAVAILABLE)
    assert short.run() == "retry"
    glue.watching = lambda run: run.end("SUCCEEDED")
    assert short.run() == "success"
    assert asked(api) == ["FLEX", "STANDARD"]
    assert short.causes == ["no_capacity", None]
    assert short.capacities == ["spot", "on-demand"]
    assert short.record.where["launched_dpu_seconds"] == "12.5"


def test_what_nobody_explains_is_the_author_s(attempts: Any, api: AwsApi, glue: Glue) -> None:
    """A flexible run that loses its capacity just fails, as does one whose script is wrong."""
    failed = attempts(lambda: run_job(retries=1))
    glue.watching = lambda run: run.end("FAILED", "Command failed with exit code 1")
    assert failed.run() == "retry"
    glue.watching = lambda run: run.end("SUCCEEDED")
    assert failed.run() == "success"
    assert failed.charges == ["user", None]
    assert asked(api) == ["FLEX", "STANDARD"]


@pytest.mark.parametrize("state", ["TIMEOUT", "STOPPED"])
def test_near_misses(attempts: Any, api: AwsApi, glue: Glue, state: str) -> None:
    ended = attempts(run_job)
    glue.watching = lambda run: run.end(state)
    assert ended.run() == "retry"
    assert (ended.causes, ended.charges) == (["application"], ["user"])


def test_a_signal_stops_the_run(attempts: Any, api: AwsApi, glue: Glue) -> None:
    """Also without ``stop_job_run_on_kill``."""
    told = attempts(run_job)
    glue.watching = lambda run: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert [run.state for run in glue.runs.values()] == ["STOPPED"]


@pytest.mark.parametrize("durable", [True, False])
def test_a_run_that_outlives_its_worker_is_gone_on_with(
    attempts: Any, api: AwsApi, glue: Glue, killer: Any, *, durable: bool
) -> None:
    lost = attempts(lambda: run_job(durable=durable))
    assert lost.run() == "killed"
    killer.armed = False
    seen: list[JobRun] = []

    def watch(run: JobRun) -> None:
        seen.append(run)
        if len(seen) > 3:
            run.end("SUCCEEDED")

    glue.watching = watch
    assert lost.run() == "success"
    assert list(glue.runs) == ["jr_1"]
    assert lost.causes == ["infrastructure", None]


@pytest.mark.parametrize("durable", [True, False])
def test_on_the_last_user_attempt_a_flexible_run_is_ended_first(
    attempts: Any, api: AwsApi, glue: Glue, killer: Any, *, durable: bool
) -> None:
    lost = attempts(lambda: run_job(durable=durable))
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: run_job(retries=0, durable=durable)
    glue.watching = lambda run: run.end("SUCCEEDED") if run.id == "jr_2" else None
    assert lost.run() == "success"
    assert [run.state for run in glue.runs.values()] == ["STOPPED", "SUCCEEDED"]
    assert asked(api) == ["FLEX", "STANDARD"]


@pytest.mark.usefixtures("sync_triggers")
@pytest.mark.parametrize(("state", "ended"), [("SUCCEEDED", "success"), ("FAILED", "retry")])
def test_deferrable(attempts: Any, api: AwsApi, glue: Glue, state: str, ended: str) -> None:
    deferred = attempts(lambda: run_job(deferrable=True))
    glue.watching = lambda run: run.end(state, UNAVAILABLE if ended == "retry" else None)
    assert deferred.run() == ended
    assert asked(api) == ["FLEX"]
    assert deferred.causes == [None if ended == "success" else "no_capacity"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"run_job_kwargs": {"ExecutionClass": "STANDARD"}}, "ExecutionClass='STANDARD' and an interruptible task"),
        ({"run_job_kwargs": {"WorkerType": "G.4X"}}, "no flexible ones of these"),
        ({"create_job_kwargs": {"WorkerType": "Z.2X"}}, "no flexible ones of these"),
        ({"retry_limit": 1}, "Glue would run the job again by itself"),
        ({"wait_for_completion": False}, "nobody would see"),
        ({"compute": {"name": "glue", "spot": "a"}}, "takes no options"),
    ],
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, arguments: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempts(lambda: run_job(**arguments)).parsed()


def test_a_template_that_contradicts_is_a_clear_failure(attempts: Any, api: AwsApi) -> None:
    templated = attempts(lambda: run_job(run_job_kwargs={"ExecutionClass": "{{ 'STAND' + 'ARD' }}"}))
    assert templated.run() == "failed"
    assert "ExecutionClass='STANDARD'" in str(templated.errors[0])
    assert asked(api) == []

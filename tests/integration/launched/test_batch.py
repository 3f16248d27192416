# SPDX-License-Identifier: Apache-2.0
"""BatchOperator as it is installed, made interruptible, against a Batch that runs its commands here."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.amazon")
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from aws_api.batch import HOST_GONE

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from aws_api.batch import Batch, Job
    from aws_api.server import AwsApi

FINE, FOR_EVER = ["true"], ["sleep", "60"]
PAIRS = '{"batch": {"pairs": [{"spot": "cpu-spot", "on_demand": "cpu"}, {"spot": "gpu-spot", "on_demand": "gpu"}]}}'


@pytest.fixture(autouse=True)
def _pairs(configure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook

    configure(launched=PAIRS)
    monkeypatch.setattr(BatchClientHook, "delay", staticmethod(lambda *_: None))


def submit(command: Any = FINE, **arguments: Any) -> Any:
    given = {"task_id": "work", "job_name": "n", "job_definition": "d", "job_queue": "cpu", "poll_interval": 0}
    given |= {"container_overrides": {"command": command}, "do_xcom_push": False}
    given |= {"interruptible": True, "retries": 2, "system_retries": 3, **arguments}
    return interruptible(BatchOperator)(**given)


def until(flag: Path) -> list[str]:
    return ["sh", "-c", f"while [ ! -e {flag} ]; do sleep 0.05; done"]


def submitted(api: AwsApi) -> list[Any]:
    return [(one["jobQueue"], one.get("retryStrategy")) for one in api.requests("POST /v1/submitjob")]


ONCE = {"attempts": 1}


def lose_host(job: Job) -> None:
    job.end(HOST_GONE)


def test_a_reclaim_is_forgiven_and_the_last_attempt_is_on_demand(attempts: Any, api: AwsApi, batch: Batch) -> None:
    """No permission to look at instances: what was asked for is known."""
    reclaimed = attempts(lambda: submit(FOR_EVER, retries=1, job_queue="gpu"))
    batch.watching = lose_host
    assert reclaimed.run() == "retry"
    batch.watching = lambda job: None
    reclaimed.make = lambda: submit(["sh", "-c", "exit 3"], retries=1, job_queue="gpu-spot")
    assert reclaimed.run() == "retry"
    reclaimed.make = lambda: submit(retries=1, job_queue="gpu")
    assert reclaimed.run() == "success"
    assert submitted(api) == [("gpu-spot", ONCE), ("gpu-spot", ONCE), ("gpu", ONCE)]
    assert reclaimed.causes == ["spot_interruption", "application", None]
    assert reclaimed.charges == ["system", "user", None]
    assert reclaimed.capacities == ["spot", "spot", "on-demand"]
    assert reclaimed.record.where["launched_queue"] == "gpu"


LIMIT = "Canceled by JobStateTimeLimit action due to reason: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"


@pytest.mark.parametrize("reason", ["Job attempt duration exceeded timeout", "Terminated by user"])
def test_what_the_author_pays(attempts: Any, api: AwsApi, batch: Batch, reason: str) -> None:
    ended = attempts(lambda: submit(FOR_EVER))
    batch.watching = lambda job: job.end(reason)
    assert ended.run() == "retry"
    assert (ended.charges, ended.causes) == (["user"], ["application"])


def test_no_capacity_leads_to_on_demand(attempts: Any, api: AwsApi, batch: Batch) -> None:
    short = attempts(lambda: submit(FOR_EVER))
    batch.watching = lambda job: job.end(LIMIT)
    assert short.run() == "retry"
    short.make, batch.watching = submit, lambda job: None
    assert short.run() == "success"
    assert short.causes == ["no_capacity", None]
    assert [queue for queue, _ in submitted(api)] == ["cpu-spot", "cpu"]


def test_a_signal_terminates_the_job(attempts: Any, api: AwsApi, batch: Batch) -> None:
    told = attempts(lambda: submit(FOR_EVER))
    batch.watching = lambda job: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert all(job.terminated for job in batch.jobs.values())


def test_a_signal_before_there_is_a_job_stops_nothing(attempts: Any, api: AwsApi) -> None:
    task = attempts(submit).parsed()
    task.on_kill()
    assert api.asked == []


def test_a_job_that_outlives_its_worker_is_gone_on_with(
    attempts: Any, api: AwsApi, batch: Batch, killer: Any, flag: Path
) -> None:
    lost = attempts(lambda: submit(until(flag)))
    assert lost.run() == "killed"
    killer.armed = False
    seen: list[Job] = []

    def watch(job: Job) -> None:
        seen.append(job)
        if len(seen) > 2:
            flag.touch()

    batch.watching = watch
    assert lost.run() == "success"
    assert len(batch.jobs) == 1
    assert lost.results[-1] == next(iter(batch.jobs))
    assert lost.causes == ["infrastructure", None]
    assert "goes on with Batch job" in (lost.record.reason or "")


def test_on_the_last_user_attempt_work_on_spot_is_ended_first(
    attempts: Any, api: AwsApi, batch: Batch, killer: Any
) -> None:
    lost = attempts(lambda: submit(FOR_EVER, retries=1))
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: submit(retries=0)
    assert lost.run() == "success"
    assert [job.terminated for job in batch.jobs.values()] == [True, False]
    assert [queue for queue, _ in submitted(api)] == ["cpu-spot", "cpu"]


@pytest.mark.parametrize("lost", [False, True])
def test_deferrable(attempts: Any, api: AwsApi, sync_triggers: None, flag: Path, lost: bool) -> None:
    deferred = attempts(lambda: submit(until(flag), deferrable=True))
    batch: Any = api.services[1]
    seen: list[Job] = []

    def watch(job: Job) -> None:
        """The operator looks once before it defers."""
        seen.append(job)
        if len(seen) > 3:
            lose_host(job) if lost else flag.touch()

    batch.watching = watch
    assert deferred.run() == ("retry" if lost else "success")
    assert submitted(api) == [("cpu-spot", ONCE)]
    assert deferred.causes == ["spot_interruption" if lost else None]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"job_queue": "other"}, "job_queue='other' and an interruptible task contradict"),
        ({"retry_strategy": {"attempts": 3}}, "Batch would try again by itself"),
        ({"wait_for_completion": False}, "nobody would see"),
        ({"compute": {"name": "batch", "pairs": []}}, "needs pairs as a list"),
        ({"compute": {"name": "batch", "spot": "a"}}, "needs compute_options with two different names"),
        (
            {"compute": {"name": "batch", "pairs": [{"spot": "a", "on_demand": "b"}, {"spot": "b", "on_demand": "c"}]}},
            "Queue 'b' is in several pairs",
        ),
    ],
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, arguments: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempts(lambda: submit(**arguments)).parsed()


def test_mapped_tasks(attempts: Any, api: AwsApi) -> None:
    operator = interruptible(BatchOperator)
    given = {"task_id": "work", "job_name": "n", "job_definition": "d", "interruptible": True}

    def mapped(partial: dict[str, Any], expand: dict[str, Any], **dag: Any) -> Any:
        return attempts(lambda: operator.partial(**given, **partial).expand(parameters=[{}], **expand), dag).parsed()

    mapped({"job_queue": "cpu"}, {})
    mapped({}, {}, default_args={"job_queue": "cpu"})
    with pytest.raises(ConfigurationError, match="job_queue='other'"):
        mapped({}, {}, default_args={"job_queue": "other"})
    with pytest.raises(ConfigurationError, match="job_queue cannot be expanded"):
        mapped({}, {"job_queue": ["cpu"]})


def test_a_template_of_a_queue(attempts: Any, api: AwsApi) -> None:
    assert attempts(lambda: submit(job_queue="{{ 'g' + 'pu' }}")).run() == "success"
    assert submitted(api) == [("gpu-spot", ONCE)]
    wrong = attempts(lambda: submit(job_queue="{{ 'oth' + 'er' }}"))
    assert wrong.run() == "failed"
    assert "job_queue='other'" in str(wrong.errors[0])


def test_without_pairs_nothing_is_placed(attempts: Any, api: AwsApi, configure: Any) -> None:
    configure(launched="{}")
    assert attempts(lambda: submit(job_queue="other")).run() == "success"
    assert submitted(api) == [("other", None)]

# SPDX-License-Identifier: Apache-2.0
"""CloudBatchSubmitJobOperator as it is installed, made interruptible, against a Batch that runs its scripts here."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.google")
from airflow.providers.google.cloud.operators.cloud_batch import CloudBatchSubmitJobOperator
from google.cloud import batch_v1
from google_api.batch import PREEMPTED, TOO_LONG, VM_SILENT

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError, Interrupted

if TYPE_CHECKING:
    from pathlib import Path

    from google_api.batch import CloudBatch, Job
    from google_api.server import GoogleApi

FINE, FOR_EVER = "true", "sleep 60"
PLACE = {"project_id": "p", "region": "us-central1", "polling_period_seconds": 0.01}


def job(script: str = FINE, policy: Any = None, **spec: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"taskGroups": [{"taskSpec": {"runnables": [{"script": {"text": script}}], **spec}}]}
    if policy is not None:
        described["allocationPolicy"] = {"instances": [policy]}
    return described


def submit(script: str = FINE, **arguments: Any) -> Any:
    given = {"task_id": "work", "job_name": "train", "job": job(script), **PLACE}
    given |= {"interruptible": True, "retries": 2, "system_retries": 3, **arguments}
    return interruptible(CloudBatchSubmitJobOperator)(**given)


def created(google: GoogleApi) -> list[tuple[str, str]]:
    asked = google.requests("CreateJob")
    return [(one.job_id, one.job.allocation_policy.instances[0].policy.provisioning_model.name) for one in asked]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_preemption_is_forgiven_and_the_last_attempt_is_on_demand(
    attempts: Any, google: GoogleApi, cloud_batch: CloudBatch, deferrable: bool
) -> None:
    preempted = attempts(lambda: submit(FOR_EVER, retries=1, deferrable=deferrable))
    cloud_batch.watching = lambda job: job.end(PREEMPTED)
    assert preempted.run() == "retry"
    cloud_batch.watching = lambda job: None
    preempted.make = lambda: submit("exit 3", retries=1, deferrable=deferrable)
    assert preempted.run() == "retry"
    preempted.make = lambda: submit(retries=1, deferrable=deferrable)
    assert preempted.run() == "success"
    assert created(google) == [("train", "SPOT"), ("train-2", "SPOT"), ("train-3", "STANDARD")]
    assert preempted.causes == ["spot_interruption", "application", None]
    assert preempted.charges == ["system", "user", None]
    assert preempted.capacities == ["spot", "spot", "on-demand"]
    assert preempted.record.where["launched_job"] == "projects/p/locations/us-central1/jobs/train-3"
    assert preempted.results[-1]["status"]["state"] == batch_v1.JobStatus.State.SUCCEEDED


def test_a_machine_that_is_lost_is_forgiven(attempts: Any, google: GoogleApi, cloud_batch: CloudBatch) -> None:
    lost = attempts(lambda: submit(FOR_EVER))
    cloud_batch.watching = lambda job: job.end(VM_SILENT)
    assert lost.run() == "retry"
    assert (lost.causes, lost.charges) == (["infrastructure"], ["system"])


@pytest.mark.parametrize("end", [137, TOO_LONG, 50000])
def test_what_the_author_pays(attempts: Any, google: GoogleApi, cloud_batch: CloudBatch, end: int) -> None:
    """Out of memory ends a task by a signal, and Batch does not say who sent it."""
    ended = attempts(lambda: submit(FOR_EVER))
    cloud_batch.watching = lambda job: job.end(end)
    assert ended.run() == "retry"
    assert ended.charges == ["user"]


def test_what_a_person_cancelled_ends_and_is_the_authors(
    attempts: Any, google: GoogleApi, cloud_batch: CloudBatch
) -> None:
    """The operator as it is waits for ever."""
    cancelled = attempts(lambda: submit(FOR_EVER))
    cloud_batch.watching = lambda job: job.cancel()
    assert cancelled.run() == "retry"
    assert cancelled.charges == ["user"]


def test_a_job_that_finds_no_machine_is_given_up(
    attempts: Any, google: GoogleApi, cloud_batch: CloudBatch, configure: Any
) -> None:
    configure(spot_timeout="0.3")
    short = attempts(lambda: submit(FOR_EVER))
    cloud_batch.queued = True
    assert short.run() == "retry"
    assert [job.state for job in cloud_batch.jobs.values()] == ["CANCELLED"]
    cloud_batch.queued, short.make = False, lambda: submit("sleep 0.6")
    assert short.run() == "success"
    assert created(google) == [("train", "SPOT"), ("train-2", "STANDARD")]
    assert (short.causes, short.charges) == (["no_capacity", None], ["system", None])


def test_a_job_that_has_begun_is_not_given_up(
    attempts: Any, google: GoogleApi, cloud_batch: CloudBatch, configure: Any
) -> None:
    configure(spot_timeout="0.1")
    assert attempts(lambda: submit("sleep 0.5")).run() == "success"
    assert created(google) == [("train", "SPOT")]


def test_its_own_time_out_is_the_authors(attempts: Any, google: GoogleApi, cloud_batch: CloudBatch) -> None:
    late = attempts(lambda: submit(FOR_EVER, timeout_seconds=0.05))
    assert late.run() == "retry"
    assert "timed out" in str(late.errors[0])
    assert late.charges == ["user"]


def test_a_signal_cancels_the_job(attempts: Any, google: GoogleApi, cloud_batch: CloudBatch) -> None:
    told = attempts(lambda: submit(FOR_EVER))
    cloud_batch.watching = lambda job: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert isinstance(told.errors[0], Interrupted)
    assert [job.state for job in cloud_batch.jobs.values()] == ["CANCELLED"]


def until(flag: Path) -> str:
    return f"while [ ! -e {flag} ]; do sleep 0.05; done"


@pytest.mark.parametrize("ending", [None, PREEMPTED])
def test_a_job_that_outlives_its_worker_is_gone_on_with(
    attempts: Any, cloud_batch: CloudBatch, killer: Any, flag: Path, ending: int | None
) -> None:
    lost = attempts(lambda: submit(until(flag)))
    assert lost.run() == "killed"
    killer.armed = False
    seen: list[Job] = []

    def watch(job: Job) -> None:
        seen.append(job)
        if len(seen) > 3:
            flag.touch() if ending is None else job.end(ending)

    cloud_batch.watching = watch
    assert lost.run() == ("success" if ending is None else "retry")
    assert list(cloud_batch.jobs) == ["projects/p/locations/us-central1/jobs/train"]
    assert lost.causes == ["infrastructure", None if ending is None else "spot_interruption"]
    assert lost.capacities == ["spot", "spot"]
    if ending is None:
        assert "goes on with Cloud Batch job projects/p/" in (lost.record.reason or "")


def test_on_the_last_user_attempt_work_on_spot_is_ended_first(
    attempts: Any, google: GoogleApi, cloud_batch: CloudBatch, killer: Any
) -> None:
    lost = attempts(lambda: submit(FOR_EVER, retries=1))
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: submit(retries=0)
    assert lost.run() == "success"
    assert [job.state for job in cloud_batch.jobs.values()] == ["CANCELLED", "SUCCEEDED"]
    assert created(google) == [("train", "SPOT"), ("train-2", "STANDARD")]


def test_a_job_that_succeeded_meanwhile_is_taken_as_it_is(
    attempts: Any, google: GoogleApi, cloud_batch: CloudBatch, killer: Any, flag: Path
) -> None:
    lost = attempts(lambda: submit(until(flag)))
    assert lost.run() == "killed"
    flag.touch()
    next(iter(cloud_batch.jobs.values())).process.wait()
    killer.armed = False
    assert lost.run() == "success"
    assert len(cloud_batch.jobs) == 1


def test_a_preemption_that_nobody_saw_is_found_out(
    attempts: Any, google: GoogleApi, cloud_batch: CloudBatch, killer: Any
) -> None:
    lost = attempts(lambda: submit(FOR_EVER))
    assert lost.run() == "killed"
    next(iter(cloud_batch.jobs.values())).end(PREEMPTED)
    killer.armed, lost.make = False, submit
    assert lost.run() == "success"
    assert lost.causes == ["spot_interruption", None]


@pytest.mark.parametrize(
    ("described", "said"),
    [
        (job(policy={"policy": {"provisioningModel": "STANDARD"}}), "provisioning_model='STANDARD'"),
        (job(policy={"policy": {"provisioningModel": 5}}), "provisioning_model='number 5'"),
        (job(policy={"instanceTemplate": "t"}), "instance_template='t'"),
        (job(maxRetryCount=2), "max_retry_count=2"),
        (job(maxRetryCount=1, lifecyclePolicies=[{"action": "RETRY_TASK"}]), "lifecycle_policies="),
    ],
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, described: Any, said: str) -> None:
    operator = interruptible(CloudBatchSubmitJobOperator)
    given = {"task_id": "work", "interruptible": True, **PLACE}
    message = batch_v1.Job.from_json(json.dumps(described))
    for make in (
        lambda: submit(job=described),
        lambda: submit(job=message) if "number" not in said else submit(job=described),
        lambda: operator.partial(job_name="n", **given).expand(job=[job(), described]),
        lambda: operator.partial(**given).expand_kwargs([{"job": described, "job_name": "n"}]),
    ):
        with pytest.raises(ConfigurationError, match="and an interruptible task contradict"):
            attempts(make).parsed()
    with pytest.raises(ConfigurationError, match=said):
        attempts(lambda: submit(job=described)).parsed()
    with pytest.raises(ConfigurationError, match="takes no options"):
        attempts(lambda: submit(compute={"name": "cloud_batch", "spot": "a"})).parsed()


def test_a_message_is_placed_too(attempts: Any, google: GoogleApi, cloud_batch: CloudBatch) -> None:
    assert attempts(lambda: submit(job=batch_v1.Job.from_json(json.dumps(job())))).run() == "success"
    assert created(google) == [("train", "SPOT")]


def test_a_template_that_contradicts_is_a_clear_failure(
    attempts: Any, google: GoogleApi, cloud_batch: CloudBatch
) -> None:
    standard = job(policy={"policy": {"provisioningModel": "{{ 'STAND' + 'ARD' }}"}})
    templated = attempts(lambda: submit(job=standard))
    assert templated.run() == "failed"
    assert "provisioning_model='STANDARD'" in str(templated.errors[0])
    assert created(google) == []


def test_an_adopted_task_that_contradicts_stays_where_it_is(
    attempts: Any, google: GoogleApi, cloud_batch: CloudBatch, warnings_of: Any
) -> None:
    standard = job(policy={"policy": {"provisioningModel": "STANDARD"}})
    adopted = attempts(
        lambda: CloudBatchSubmitJobOperator(task_id="work", job_name="train", job=standard, **PLACE),
        {"default_args": {"interruptible": True, "retries": 2}},
    )
    assert adopted.run() == "success"
    assert created(google) == [("train", "STANDARD")]
    assert adopted.capacities == ["on-demand"]
    assert sum("goes where its author sends it" in text for text in warnings_of()) == 2  # parsed, and run


def test_an_author_whose_job_says_nothing_is_on_demand(
    attempts: Any, google: GoogleApi, cloud_batch: CloudBatch, configure: Any
) -> None:
    configure(launched='{"cloud_batch": "none"}')
    plain = attempts(submit)
    assert plain.run() == "success"
    assert plain.capacities == ["on-demand"]
    assert not google.requests("CreateJob")[0].job.allocation_policy.instances

# SPDX-License-Identifier: Apache-2.0
"""Cloud Batch, Dataproc and Compute Engine: Google's own messages, and clients that answer with them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.remote import look_back

pytest.importorskip("airflow.providers.google")

DURING, BEFORE = "2026-01-01T12:10:00.123456789Z", "2026-01-01T09:00:00Z"


def event(code: int | None, description: str = "Task state is updated from RUNNING to FAILED") -> dict[str, Any]:
    return {"description": description, **({} if code is None else {"task_execution": {"exit_code": code}})}


class BatchClient:
    """Two calls of ``BatchServiceClient``, by the messages of the API."""

    def __init__(self, state: str, *tasks: tuple[str, list[Any]], created: str = DURING, events: Any = ()) -> None:
        self.state, self.tasks, self.created, self.events = state, tasks, created, events

    def get_job(self, *, name: str, timeout: float, retry: None) -> Any:
        from google.cloud.batch_v1 import Job

        assert name == "projects/p/locations/r/jobs/j"
        policy = {"instances": [{"policy": {"provisioning_model": "SPOT"}}]}
        status = {"state": self.state, "status_events": list(self.events)}
        return Job.from_json(
            Job.to_json(Job({"create_time": self.created, "allocation_policy": policy, "status": status}))
        )

    def list_tasks(self, *, parent: str, timeout: float, retry: None) -> Any:
        from google.cloud.batch_v1 import Task

        assert parent == "projects/p/locations/r/jobs/j/taskGroups/group0"
        return iter([Task({"status": {"state": state, "status_events": events}}) for state, events in self.tasks])


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch, rule_of: Any) -> Any:
    """``batch(client)``: the rule that decides about a job that this client describes."""
    from airflow.providers.google.cloud.hooks import cloud_batch
    from airflow.providers.google.cloud.operators.cloud_batch import CloudBatchSubmitJobOperator

    from airflow_interruptible import interruptible

    def decide(client: Any) -> str | None:
        monkeypatch.setattr(cloud_batch, "CloudBatchHook", lambda *_: SimpleNamespace(get_conn=lambda: client))
        task = interruptible(CloudBatchSubmitJobOperator)(
            task_id="work", project_id="p", region="r", job_name="j", job={}
        )
        return rule_of(task)

    return decide


@pytest.mark.parametrize(
    ("client", "rule"),
    [
        (BatchClient("FAILED", ("FAILED", [event(50001)])), "gcpbatch/preempted"),
        (BatchClient("FAILED", ("FAILED", [event(1)])), "gcpbatch/own-exit"),
        (BatchClient("FAILED", ("FAILED", [event(137)])), "gcpbatch/signalled"),
        (BatchClient("FAILED", ("FAILED", [event(50001), event(1)])), "gcpbatch/own-exit"),
        (BatchClient("FAILED", ("SUCCEEDED", [event(0)]), ("FAILED", [event(50002)])), "gcpbatch/vm-lost"),
        (BatchClient("FAILED", ("FAILED", [event(50001)]), ("FAILED", [event(1)])), "gcpbatch/own-exit"),
        (BatchClient("DELETION_IN_PROGRESS"), "gcpbatch/cancelled"),
        (BatchClient("RUNNING", ("FAILED", [event(50001)])), "ecs/host-gone"),
        (BatchClient("FAILED", ("FAILED", [event(50001)]), created=BEFORE), "ecs/host-gone"),
    ],
)
def test_a_batch_job_says_it_whatever_the_text_says(client: Any, rule: str, batch: Any) -> None:
    assert batch(client) == rule


def test_the_jobs_own_event_counts_where_the_tasks_are_hidden(batch: Any, golden: Any) -> None:
    hidden = BatchClient("FAILED", events=[event(None, golden("gcpbatch/preempted"))])
    hidden.list_tasks = None  # type: ignore[method-assign,assignment]
    assert batch(hidden) == "gcpbatch/preempted"


@pytest.mark.parametrize("answer", [None, 3, {}, {"status": {"state": "FAILED", "status_events": 3}}])
def test_rubbish_of_batch_is_no_evidence(answer: Any, batch: Any) -> None:
    client = SimpleNamespace(get_job=lambda **_: answer, list_tasks=lambda **_: [None, 3])
    assert batch(client) in (None, "ecs/host-gone")


class DataprocHook:
    def __init__(self, state: str, details: str) -> None:
        self.status = {"state": state, "details": details}

    def get_job(self, *, job_id: str, project_id: str, region: str, retry: None, timeout: float) -> Any:
        from google.cloud.dataproc_v1 import Job

        assert (job_id, project_id, region) == ("j", "p", "r")
        return Job({"status": self.status, "reference": {"job_id": "j"}, "labels": {"details": "Terminated"}})


@pytest.fixture
def dataproc() -> Any:
    from airflow.providers.google.cloud.operators.dataproc import DataprocSubmitJobOperator

    from airflow_interruptible import interruptible

    def build(hook: Any, job_id: str | None = "j") -> Any:
        task = interruptible(DataprocSubmitJobOperator)(task_id="work", project_id="p", region="r", job={})
        task.hook, task.job_id = hook, job_id
        return task

    return build


KILLED = (
    "Google Cloud Dataproc Agent reports job failure. Driver received SIGTERM/SIGKILL signal and exited with 143 code, "
    "which potentially signifies a memory pressure."
)


@pytest.mark.parametrize(
    ("state", "details", "rule"),
    [
        ("ERROR", "Job failed with message [ModuleNotFoundError: No module named 'etl'].", "dataproc/driver-exit"),
        ("ERROR", KILLED, "dataproc/driver-signalled"),
        ("CANCELLED", "", "dataproc/cancelled"),
        ("ERROR", "Host EC2 (instance i-0abc) terminated.", None),
        ("RUNNING", "", "ecs/host-gone"),
    ],
)  # fmt: skip
def test_a_dataproc_job_says_it_whatever_the_text_says(
    state: str, details: str, rule: str | None, dataproc: Any, rule_of: Any
) -> None:
    assert rule_of(dataproc(DataprocHook(state, details))) == rule


def test_after_a_deferral_the_event_names_the_dataproc_job(dataproc: Any, rule_of: Any, raised: Any) -> None:
    job = {"reference": {"project_id": "p", "job_id": "j"}, "status": {"state": 5}}
    error = raised("airflow.providers.google", RuntimeError(f"Job j was cancelled:\n{job}"))
    assert rule_of(dataproc(DataprocHook("CANCELLED", ""), None), error) == "dataproc/cancelled"


class Compute:
    def __init__(self, *operations: dict[str, Any]) -> None:
        self.operations, self.filters = list(operations), []

    def globalOperations(self) -> Compute:  # noqa: N802 - Google's name
        return self

    def aggregatedList(self, *, project: str, filter: str, maxResults: int) -> Compute:  # noqa: A002, N802, N803
        self.filters.append((project, filter))
        return self

    def execute(self, *, num_retries: int) -> Any:
        return {"items": {"zones/z": {"operations": self.operations}, "zones/y": {"warning": {}}, "global": None}}


def operation(kind: str, vm: str = "vm-1", at: str = DURING) -> dict[str, Any]:
    link = f"https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/{vm}"
    return {"operationType": kind, "targetLink": link, "targetId": "42", "insertTime": at, "user": "system"}


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch, judged: Any) -> Any:
    from airflow.providers.google.cloud.hooks import compute as hooks

    def look(compute: Any, vm: str = "vm-1", since: str | None = "2026-01-01T12:00:00+00:00") -> Any:
        hook = SimpleNamespace(project_id="p", get_conn=lambda: compute)
        monkeypatch.setattr(hooks, "ComputeEngineHook", lambda gcp_conn_id: hook)
        return judged(look_back({"vm": vm}, CapacityType.SPOT, since=since))

    return look


def test_looking_back_at_a_machine(looked: Any) -> None:
    compute = Compute(operation("compute.instances.preempted"), operation("delete"))
    assert looked(compute).cause is Cause.SPOT_INTERRUPTION
    assert compute.filters == [("p", 'targetLink eq ".*/instances/vm-1"')]

    assert looked(Compute(operation("compute.instances.hostError"))).cause is Cause.INFRASTRUCTURE
    assert looked(Compute(operation("stop"))).cause is Cause.UNKNOWN
    assert looked(Compute()) is None


def test_looking_back_another_machine_or_another_time_is_nothing(looked: Any) -> None:
    assert looked(Compute(operation("compute.instances.preempted", vm="other-vm-1"))) is None
    assert looked(Compute(operation("compute.instances.preempted", at=BEFORE))) is None
    assert looked(Compute(operation("compute.instances.preempted", at=BEFORE)), since=None) is not None


def test_a_machines_name_cannot_change_the_filter(looked: Any) -> None:
    compute = Compute()
    assert looked(compute, 'x" OR "') is None
    assert compute.filters == []


class VertexHook:
    """Two calls of ``CustomJobHook``, by the messages of the API."""

    def __init__(self, state: str, message: str = "") -> None:
        self.state, self.message = state, message

    def get_custom_job(self, *, custom_job: str, project_id: str, region: str, retry: None, timeout: float) -> Any:
        from google.cloud.aiplatform_v1.types import CustomJob

        assert (custom_job, project_id, region) == ("7", "p", "r")
        return CustomJob({"state": f"JOB_STATE_{self.state}", "error": {"code": 8, "message": self.message}})

    def get_training_pipeline(
        self, *, training_pipeline: str, project_id: str, region: str, retry: None, timeout: float
    ) -> Any:
        from google.cloud.aiplatform_v1.types import TrainingPipeline

        assert (training_pipeline, project_id, region) == ("8", "p", "r")
        return TrainingPipeline({"state": f"PIPELINE_STATE_{self.state}", "error": {"message": self.message}})


ENDS = [
    ("FAILED", "Resources are insufficient in region: r. Please try a different region.", "vertex/no-capacity"),
    ("FAILED", "The replica workerpool0-0 exited with a non-zero status of 1.", "vertex/replica-exit"),
    ("FAILED", "Internal error encountered.", "vertex/internal"),
    ("FAILED", "Host EC2 (instance i-0abc) terminated.", None),
    ("CANCELLED", "", "vertex/cancelled"),
    ("RUNNING", "", "ecs/host-gone"),
]


@pytest.mark.parametrize(("state", "message", "rule"), ENDS)
def test_a_vertex_job_says_it_whatever_the_text_says(state: str, message: str, rule: str | None, rule_of: Any) -> None:
    from airflow.providers.google.cloud.operators.vertex_ai.custom_job import CreateCustomJobOperator

    task = CreateCustomJobOperator(task_id="work", project_id="p", region="r", custom_job={})
    object.__setattr__(task, "hook", VertexHook(state, message))
    task.custom_job_id = "7"
    assert rule_of(task) == rule


@pytest.mark.parametrize(("state", "message", "rule"), ENDS)
def test_a_training_pipeline_is_known_once_it_was_deferred(
    state: str, message: str, rule: str | None, rule_of: Any, context: dict[str, Any]
) -> None:
    from airflow.providers.google.cloud.operators.vertex_ai.custom_job import CreateCustomTrainingJobOperator

    task = CreateCustomTrainingJobOperator(
        task_id="work", project_id="p", region="r", staging_bucket="gs://b", display_name="d", script_path="s.py",
        container_uri="c",
    )  # fmt: skip
    object.__setattr__(task, "hook", VertexHook(state, message))
    assert rule_of(task) == "ecs/host-gone"

    context["xcoms"]["training_id"] = "8"
    assert rule_of(task) == rule

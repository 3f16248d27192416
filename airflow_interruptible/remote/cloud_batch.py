# SPDX-License-Identifier: Apache-2.0
"""Google Cloud Batch: the job, and the last event of the tasks that failed.

The trap: the author names the job, so that its name may lead to the job of an earlier attempt, preempted or not.
https://cloud.google.com/batch/docs/reference/rest/v1/projects.locations.jobs
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.answer import Answer, each, inside, least_forgiving, pick
from airflow_interruptible.remote.google import SECONDS, as_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.remote.failure import Failure

MAX_TASKS = 100
"""How many tasks are looked at: a page."""

_OVER = ("FAILED", "CANCELLED", "CANCELLATION_IN_PROGRESS", "DELETION_IN_PROGRESS")


def describe(failure: Failure) -> Iterator[Answer]:
    """Describe the job of a CloudBatchSubmitJobOperator."""
    from airflow.providers.google.cloud.hooks.cloud_batch import CloudBatchHook

    task = failure.task
    hook: Any = CloudBatchHook(task.gcp_conn_id, task.impersonation_chain)
    client = hook.get_conn()
    name = f"projects/{task.project_id}/locations/{task.region}/jobs/{task.job_name}"
    job = as_fields(client.get_job(name=name, timeout=SECONDS, retry=None))
    status = inside(job, "status")
    ours = (failure.attribute("launched") or {}).get("launched_job", "").endswith(f"/{task.job_name}")
    if status.get("state") not in _OVER or not (ours or failure.saw(job.get("create_time"))):
        return
    policies = [
        {"policy": pick(inside(one, "policy"), "provisioning_model")}
        for one in each(inside(job, "allocation_policy"), "instances")
    ]
    answer = Answer("gcpbatch", "jobs.get", {"job": {"allocation_policy": {"instances": policies}, **_end(status)}})
    yield answer
    page = client.list_tasks(parent=f"{name}/taskGroups/group0", timeout=SECONDS, retry=None)
    tasks = (inside(as_fields(one), "status") for one in islice(page, MAX_TASKS))
    failed = (answer.with_fields(task=_end(one)) for one in tasks if one.get("state") == "FAILED")
    decisive = least_forgiving(failed)
    if decisive is not None:
        yield decisive


def _end(status: Mapping[str, Any]) -> dict[str, Any]:
    """How a job or a task ended: its state, and the event that led there."""
    events = [pick(one, "description", "task_execution") for one in each(status, "status_events")]
    return {"status": {**pick(status, "state"), "status_events": events[-1:]}}

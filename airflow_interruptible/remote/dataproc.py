# SPDX-License-Identifier: Apache-2.0
"""Google Dataproc: the status of a job, and why a cluster could not be made.

The surprising fact: a driver that was killed says only by which signal, and memory pressure sends the same one.
https://cloud.google.com/dataproc/docs/reference/rest/v1/projects.regions.jobs
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.remote.answer import Answer, inside, pick
from airflow_interruptible.remote.google import SECONDS, as_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.remote.failure import Failure

_OVER = ("ERROR", "CANCELLED", "ATTEMPT_FAILURE")


def describe(failure: Failure) -> Iterator[Answer]:
    """Describe the job of a DataprocSubmitJobOperator."""
    from airflow.providers.google.cloud.hooks.dataproc import DataprocHook

    task = failure.task
    name = task.job_id or inside(failure.event, "reference").get("job_id")
    if not name:
        return
    hook = task.hook or DataprocHook(gcp_conn_id=task.gcp_conn_id, impersonation_chain=task.impersonation_chain)
    job = hook.get_job(job_id=name, project_id=task.project_id, region=task.region, retry=None, timeout=SECONDS)
    status = inside(as_fields(job), "status")
    if status.get("state") in _OVER:
        yield Answer("dataproc", "jobs.get", {"status": pick(status, "state", "details")})


def cluster(failure: Failure) -> Iterator[Answer]:
    """Read what the operation of a DataprocCreateClusterOperator ended with: its exception carries it.

    The cluster itself is no witness: the operator deletes one that could not be made.
    """
    for error in failure.chain():
        for said in error.args:
            yield Answer("dataproc", "clusters.create", {"error": {"message": str(getattr(said, "message", said))}})
            return

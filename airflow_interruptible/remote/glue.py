# SPDX-License-Identifier: Apache-2.0
"""AWS Glue: the state of a job run, and why it failed.

The surprising fact: the operator's own hook uploads a local script as soon as it is made, so that after a deferral,
where there is none yet, a client of the same connection asks. https://docs.aws.amazon.com/glue/latest/webapi/API_JobRun.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import Answer, inside, pick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.remote.failure import Failure

_OVER = ("ERROR", "EXPIRED", "FAILED", "STOPPED", "STOPPING", "TIMEOUT")


def describe(failure: Failure) -> Iterator[Answer]:
    """Describe the run of a GlueJobOperator. The name of a run is never used again, so it is this attempt's."""
    task = failure.task
    run = failure.attribute("_job_run_id") or failure.event.get("run_id") or failure.xcom("glue_job_run_id")
    if not run:
        return
    hook = vars(task).get("hook")
    client = aws.sibling(task, "glue") if hook is None else hook.conn
    job = inside(client.get_job_run(JobName=task.job_name, RunId=run), "JobRun")
    if job.get("JobRunState") in _OVER:
        yield Answer("glue", "GetJobRun", pick(job, "JobRunState", "ErrorMessage", "ExecutionClass"))

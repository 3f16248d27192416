# SPDX-License-Identifier: Apache-2.0
"""AwsBatchExecutor that places attempts itself, submits each once, and says why it ended. Needs the amazon provider.

For compute ``batch``. The marker is taken from the request in ``_submit_job_kwargs``, the one private method of
Amazon's that is named here. https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.executors.batch.batch_executor import AwsBatchExecutor

from airflow_interruptible.executors.jobs import JobExecutor
from airflow_interruptible.marker import without_marker
from airflow_interruptible.remote.batch import end_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_BEFORE_A_MACHINE = ("SUBMITTED", "PENDING", "RUNNABLE")
"""https://docs.aws.amazon.com/batch/latest/userguide/job_states.html"""


class InterruptibleAwsBatchExecutor(JobExecutor, AwsBatchExecutor):  # type: ignore[misc]  # it narrows workloads
    """``[core] executor = airflow_interruptible.executors.batch.InterruptibleAwsBatchExecutor``."""

    job_noun = "Batch job"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_submit_job_attempts = "1"

    def described(self, job: str) -> Mapping[str, Any]:
        """DescribeJobs."""
        return next(iter(self.batch.describe_jobs(jobs=[job])["jobs"]), {})

    def end_of(self, described: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return status, reason and exit codes."""
        return end_of(described) if described else {}

    def waits_for_capacity(self, described: Mapping[str, Any]) -> bool:
        """Whether the job has no machine yet."""
        return described.get("status") in _BEFORE_A_MACHINE

    def stop(self, job: str, why: str) -> None:
        """TerminateJob, which cancels a job that has not started."""
        self.batch.terminate_job(jobId=job, reason=why)

    def forget(self, key: Any) -> None:
        """Drop it from the jobs that run, and from those that are to be submitted."""
        if (job := self.active_workers.key_to_id.get(key)) is not None:
            self.active_workers.remove_job(job)
        self.pending_jobs = deque(one for one in self.pending_jobs if one.key != key)

    def _submit_job_kwargs(self, key: Any, cmd: Any, queue: Any, exec_config: Any) -> dict[str, Any]:
        request: dict[str, Any] = super()._submit_job_kwargs(key, cmd, queue, without_marker(exec_config))
        return request

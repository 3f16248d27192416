# SPDX-License-Identifier: Apache-2.0
"""Google Cloud Batch: the script of a job runs as a local process, on a machine that can be preempted.

Its words are those of https://cloud.google.com/batch/docs/troubleshooting#reserved-exit-codes.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import grpc
from google.cloud import batch_v1 as batch
from google.longrunning import operations_pb2

from google_api.server import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google_api.server import Method

PREEMPTED, VM_SILENT, TOO_LONG = 50001, 50002, 50005
_WORDS = {
    PREEMPTED: "due to Spot VM preemption with exit code 50001.",
    VM_SILENT: "due to Batch no longer receives VM updates with exit code 50002.",
    TOO_LONG: "due to task runs over the maximum runtime with exit code 50005.",
}


class Job:
    """One job of one task."""

    def __init__(self, name: str, request: batch.Job) -> None:
        self.name, self.request = name, request
        self.cancelled = self.queued = False
        self.code: int | None = None
        self.created = datetime.now(timezone.utc)
        script = request.task_groups[0].task_spec.runnables[0].script.text
        self.process = subprocess.Popen(["sh", "-c", script], start_new_session=True)

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def end(self, code: int | None = None) -> None:
        """End it, with one of the exit codes that Batch reserves."""
        if not self.over:
            self.code = code
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def cancel(self) -> None:
        self.cancelled = True
        self.end()

    @property
    def exit_code(self) -> int:
        return self.code or self.process.returncode

    @property
    def state(self) -> str:
        if self.cancelled:
            return "CANCELLED"
        if not self.over:
            return "QUEUED" if self.queued else "RUNNING"
        return "FAILED" if self.exit_code else "SUCCEEDED"

    def _events(self) -> list[batch.StatusEvent]:
        if self.state != "FAILED":
            return []
        words = _WORDS.get(self.exit_code, f"due to task failed with exit code {self.exit_code}.")
        text = f"Task state is updated from RUNNING to FAILED on zones/z/instances/1 {words}"
        run = batch.TaskExecution(exit_code=self.exit_code)
        return [batch.StatusEvent(description=text, task_execution=run)]

    def described(self) -> batch.Job:
        told = batch.Job(self.request)
        told.name, told.uid = self.name, "u"
        told.create_time = self.created
        events = [
            batch.StatusEvent(
                description="Job state is set from RUNNING to FAILED for job. Job failed due to task failure. "
                f'Specifically, task with index 0 failed due to the following task event: "{one.description}"'
            )
            for one in self._events()
        ]
        told.status = batch.JobStatus(state=self.state, status_events=events)
        return told

    def task(self) -> batch.Task:
        state = self.state if self.state in ("FAILED", "SUCCEEDED") else "RUNNING"
        status = batch.TaskStatus(state=state, status_events=self._events())
        return batch.Task(name=f"{self.name}/taskGroups/group0/tasks/0", status=status)


@dataclass
class CloudBatch:
    """The service. ``watching`` is called with each job that is described, before the answer.

    :param queued: whether jobs find no machines.
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    queued: bool = False
    watching: Callable[[Job], None] = lambda job: None

    def methods(self) -> Mapping[str, Method]:
        service = "google.cloud.batch.v1.BatchService"
        return {
            f"{service}/CreateJob": (self.create_job, batch.CreateJobRequest, batch.Job),
            f"{service}/GetJob": (self.get_job, batch.GetJobRequest, batch.Job),
            f"{service}/ListTasks": (self.list_tasks, batch.ListTasksRequest, batch.ListTasksResponse),
            f"{service}/CancelJob": (self.cancel_job, batch.CancelJobRequest, operations_pb2.Operation),
        }

    def create_job(self, request: batch.CreateJobRequest) -> batch.Job:
        name = f"{request.parent}/jobs/{request.job_id}"
        if name in self.jobs:
            raise Refusal(grpc.StatusCode.ALREADY_EXISTS, f"Job {name} already exists")
        job = self.jobs[name] = Job(name, request.job)
        job.queued = self.queued
        return job.described()

    def get_job(self, request: batch.GetJobRequest) -> batch.Job:
        job = self._known(request.name)
        self.watching(job)
        return job.described()

    def list_tasks(self, request: batch.ListTasksRequest) -> batch.ListTasksResponse:
        return batch.ListTasksResponse(tasks=[self._known(request.parent.partition("/taskGroups/")[0]).task()])

    def cancel_job(self, request: batch.CancelJobRequest) -> operations_pb2.Operation:
        self._known(request.name).cancel()
        return operations_pb2.Operation(name="projects/p/locations/r/operations/cancel", done=True)

    def _known(self, name: str) -> Job:
        if name not in self.jobs:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"Job {name} not found")
        return self.jobs[name]

    def close(self) -> None:
        """Leave no process behind."""
        for job in self.jobs.values():
            job.end()

# SPDX-License-Identifier: Apache-2.0
"""Google Vertex AI: the command of a custom job, or of a training pipeline, runs as a local process.

https://cloud.google.com/vertex-ai/docs/training/use-spot-vms says how a job ends whose machines are preempted.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from google.cloud.aiplatform_v1 import types
from google.protobuf import empty_pb2, json_format
from google.rpc import status_pb2

from google_api.server import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google_api.server import Method

STOCKOUT = "STOCKOUT: Resources are insufficient in region: us-central1. Please try a different region."
INTERNAL = "Internal error occurred for the current attempt. Please try again."
OUT_OF_MEMORY = "Replicas low on memory: workerpool0. Specify a machine with larger memory and retry."


class Job:
    """A custom job, or a training pipeline.

    :param message: what was asked for; its name, state and error are written into copies of it.
    :param prefix: of its states.
    """

    def __init__(self, message: Any, prefix: str, command: list[str]) -> None:
        self.message, self.prefix = message, prefix
        self.error = self.forced = ""
        self.process = subprocess.Popen(command, start_new_session=True)

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def end(self, error: str) -> None:
        """End it as Vertex does, with these words."""
        self._kill("FAILED", error)

    def cancel(self) -> None:
        self._kill("CANCELLED", "The job was cancelled.")

    def expire(self) -> None:
        self._kill("EXPIRED" if self.prefix == "JOB" else "FAILED", "The job ran longer than its timeout.")

    def _kill(self, state: str, error: str) -> None:
        if not self.over:
            self.forced, self.error = state, error
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def state(self) -> str:
        if not self.over:
            return "RUNNING"
        return self.forced or ("FAILED" if self.process.returncode else "SUCCEEDED")

    def described(self) -> Any:
        told = type(self.message)(self.message)
        told.state = f"{self.prefix}_STATE_{self.state}"
        if self.state not in ("RUNNING", "SUCCEEDED"):
            code = self.process.returncode
            words = self.error or f"The replica workerpool0-0 exited with a non-zero status of {code}."
            told.error = status_pb2.Status(code=8, message=words)
        return told


@dataclass
class Vertex:
    """The service. ``watching`` is called with each job that is described, before the answer."""

    jobs: dict[str, Job] = field(default_factory=dict)
    watching: Callable[[Job], None] = lambda job: None

    def methods(self) -> Mapping[str, Method]:
        jobs, pipelines = "google.cloud.aiplatform.v1.JobService", "google.cloud.aiplatform.v1.PipelineService"
        job, pipeline, nothing = types.CustomJob, types.TrainingPipeline, empty_pb2.Empty
        return {
            f"{jobs}/CreateCustomJob": (self.create_job, types.CreateCustomJobRequest, job),
            f"{jobs}/GetCustomJob": (self.get, types.GetCustomJobRequest, job),
            f"{jobs}/CancelCustomJob": (self.cancel, types.CancelCustomJobRequest, nothing),
            f"{pipelines}/CreateTrainingPipeline": (
                self.create_pipeline,
                types.CreateTrainingPipelineRequest,
                pipeline,
            ),
            f"{pipelines}/GetTrainingPipeline": (self.get, types.GetTrainingPipelineRequest, pipeline),
            f"{pipelines}/CancelTrainingPipeline": (self.cancel, types.CancelTrainingPipelineRequest, nothing),
        }

    def create_job(self, request: Any) -> Any:
        message = types.CustomJob(request.custom_job)
        message.name = f"{request.parent}/customJobs/{len(self.jobs) + 1}"
        command = list(message.job_spec.worker_pool_specs[0].container_spec.command)
        return self._begun(Job(message, "JOB", command))

    def create_pipeline(self, request: Any) -> Any:
        message = types.TrainingPipeline(request.training_pipeline)
        number = len(self.jobs) + 1
        message.name = f"{request.parent}/trainingPipelines/{number}"
        fields = {"backingCustomJob": f"{request.parent}/customJobs/{number}"}
        json_format.ParseDict(fields, types.TrainingPipeline.pb(message).training_task_metadata)
        inputs = inputs_of(message)
        return self._begun(Job(message, "PIPELINE", inputs["worker_pool_specs"][0]["containerSpec"]["command"]))

    def _begun(self, job: Job) -> Any:
        self.jobs[job.message.name] = job
        return job.described()

    def get(self, request: Any) -> Any:
        job = self._known(request.name)
        self.watching(job)
        return job.described()

    def cancel(self, request: Any) -> empty_pb2.Empty:
        self._known(request.name).cancel()
        return empty_pb2.Empty()

    def _known(self, name: str) -> Job:
        if name not in self.jobs:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"{name} is not found.")
        return self.jobs[name]

    def close(self) -> None:
        """Leave no process behind."""
        for job in self.jobs.values():
            job.cancel()


def inputs_of(pipeline: Any) -> dict[str, Any]:
    """What a pipeline was told about its custom job."""
    inputs: dict[str, Any] = json_format.MessageToDict(types.TrainingPipeline.pb(pipeline).training_task_inputs)
    return inputs

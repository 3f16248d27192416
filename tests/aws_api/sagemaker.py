# SPDX-License-Identifier: Apache-2.0
"""Amazon SageMaker: training jobs that end as the test says, and the checks that the API makes of managed spot."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_api.server import ApiError, Operations

if TYPE_CHECKING:
    from collections.abc import Callable

ARN = "arn:aws:sagemaker:us-east-1:123456789012"


@dataclass
class TrainingJob:
    """One job. ``status`` and ``secondary`` are the API's words; ``reason`` is its ``FailureReason``."""

    request: dict[str, Any]
    status: str = "InProgress"
    secondary: str = "Training"
    reason: str | None = None
    created: float = field(default_factory=time.time)

    def end(self, status: str, secondary: str | None = None, reason: str | None = None) -> None:
        if self.status in {"InProgress", "Stopping"}:
            self.status, self.secondary, self.reason = status, secondary or status, reason

    def described(self) -> dict[str, Any]:
        told = {
            **{name: self.request[name] for name in ("TrainingJobName", "ResourceConfig", "StoppingCondition")},
            "TrainingJobArn": f"{ARN}:training-job/{self.request['TrainingJobName']}",
            "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/model"},
            "AlgorithmSpecification": {"TrainingInputMode": "File"},
            "CreationTime": self.created,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary,
            "EnableManagedSpotTraining": self.request.get("EnableManagedSpotTraining", False),
        }
        if self.status not in {"InProgress", "Stopping"}:
            told |= {"TrainingStartTime": self.created, "TrainingEndTime": self.created + 40}
            told |= {"BillableTimeInSeconds": 10, "TrainingTimeInSeconds": 40}
        return told if self.reason is None else {**told, "FailureReason": self.reason}


@dataclass
class TuningJob:
    """One tuning job. ``trials`` are training jobs that a test has put there."""

    request: dict[str, Any]
    status: str = "InProgress"
    trials: list[TrainingJob] = field(default_factory=list)
    created: float = field(default_factory=time.time)

    def end(self, status: str) -> None:
        if self.status == "InProgress":
            self.status = status

    def described(self) -> dict[str, Any]:
        counts = {name: sum(trial.status == name for trial in self.trials) for name in ("Completed", "Stopped")}
        return {
            **self.request,
            "HyperParameterTuningJobArn": f"{ARN}:hyper-parameter-tuning-job/x",
            "HyperParameterTuningJobStatus": self.status,
            "CreationTime": self.created,
            "TrainingJobStatusCounters": counts,
            "ObjectiveStatusCounters": {},
        }


@dataclass
class SageMaker(Operations):
    """The service. ``watching`` is called with each job that is described, before the answer."""

    jobs: dict[str, TrainingJob] = field(default_factory=dict)
    tunings: dict[str, TuningJob] = field(default_factory=dict)
    watching: Callable[[Any], None] = lambda job: None

    def create_hyper_parameter_tuning_job(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["HyperParameterTuningJobName"]
        _refuse_contradictions(request["TrainingJobDefinition"])
        if name in self.tunings:
            raise ApiError("ResourceInUse", "Tuning job names must be unique within an AWS account and region")
        job = self.tunings[name] = TuningJob(request)
        return {"HyperParameterTuningJobArn": job.described()["HyperParameterTuningJobArn"]}

    def describe_hyper_parameter_tuning_job(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self.tunings.get(request["HyperParameterTuningJobName"])
        if job is None:
            raise ApiError("ResourceNotFound", "Amazon SageMaker can't find a tuning job with the name.")
        self.watching(job)
        return job.described()

    def list_training_jobs_for_hyper_parameter_tuning_job(self, request: dict[str, Any]) -> dict[str, Any]:
        trials = [trial.described() for trial in self.tunings[request["HyperParameterTuningJobName"]].trials]
        kept = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingJobStatus")
        summaries = [{**{name: one[name] for name in kept}, "TunedHyperParameters": {}} for one in trials]
        return {"TrainingJobSummaries": summaries}

    def stop_hyper_parameter_tuning_job(self, request: dict[str, Any]) -> dict[str, Any]:
        self.tunings[request["HyperParameterTuningJobName"]].end("Stopped")
        return {}

    def describe_log_streams(self, request: dict[str, Any]) -> dict[str, Any]:
        """CloudWatch's answer while a job has written nothing."""
        return {"logStreams": []}

    def create_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        _refuse_contradictions(request)
        if request["TrainingJobName"] in self.jobs:
            raise ApiError("ResourceInUse", "Training job names must be unique within an AWS account and region")
        job = TrainingJob(request)
        self.jobs[request["TrainingJobName"]] = job
        return {"TrainingJobArn": job.described()["TrainingJobArn"].lower()}

    def describe_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs.get(request["TrainingJobName"])
        if job is None:
            raise ApiError("ValidationException", "Requested resource not found.")
        self.watching(job)
        return job.described()

    def stop_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        self.jobs[request["TrainingJobName"]].end("Stopped", "Stopped")
        return {}


def _refuse_contradictions(request: dict[str, Any]) -> None:
    stopping, spot = request["StoppingCondition"], request.get("EnableManagedSpotTraining", False)
    wait = stopping.get("MaxWaitTimeInSeconds")
    if (wait is not None) is not spot or (spot and wait < stopping["MaxRuntimeInSeconds"]):
        raise ApiError("ValidationException", "Invalid MaxWaitTimeInSeconds. It must be present if and only if spot.")

# SPDX-License-Identifier: Apache-2.0
"""AWS Glue: job runs that end as a test says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_api.server import ApiError, Operations

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class JobRun:
    """One run. ``message`` is its ``ErrorMessage``."""

    id: str
    request: dict[str, Any]
    state: str = "RUNNING"
    message: str | None = None

    def end(self, state: str, message: str | None = None) -> None:
        if self.state in {"RUNNING", "WAITING"}:
            self.state, self.message = state, message

    def described(self) -> dict[str, Any]:
        told = {"Id": self.id, "JobName": self.request["JobName"], "JobRunState": self.state}
        told |= {"Arguments": self.request.get("Arguments", {}), "DPUSeconds": 12.5}
        told |= {"ExecutionClass": self.request.get("ExecutionClass", "STANDARD")}
        return told if self.message is None else {**told, "ErrorMessage": self.message}


@dataclass
class Glue(Operations):
    """The service. ``watching`` is called with each run that is described, before the answer."""

    runs: dict[str, JobRun] = field(default_factory=dict)
    watching: Callable[[JobRun], None] = lambda run: None

    def get_job(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Job": {"Name": request["JobName"]}}

    def start_job_run(self, request: dict[str, Any]) -> dict[str, Any]:
        run = JobRun(f"jr_{len(self.runs) + 1}", request)
        self.runs[run.id] = run
        return {"JobRunId": run.id}

    def get_job_run(self, request: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(request["RunId"])
        if run is None:
            raise ApiError("EntityNotFoundException", "JobRun not found.")
        self.watching(run)
        return {"JobRun": run.described()}

    def get_job_runs(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "JobRuns": [run.described() for run in self.runs.values() if run.request["JobName"] == request["JobName"]]
        }

    def batch_stop_job_run(self, request: dict[str, Any]) -> dict[str, Any]:
        for name in request["JobRunIds"]:
            self.runs[name].end("STOPPED")
        return {"SuccessfulSubmissions": [{"JobName": request["JobName"], "JobRunId": request["JobRunIds"][0]}]}

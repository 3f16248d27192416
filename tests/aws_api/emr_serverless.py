# SPDX-License-Identifier: Apache-2.0
"""Amazon EMR Serverless: job runs that end as a test says, by REST paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_api.server import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class JobRun:
    """One run. ``details`` are its ``stateDetails``."""

    id: str
    request: dict[str, Any]
    state: str = "RUNNING"
    details: str = ""

    def end(self, state: str, details: str = "") -> None:
        if self.state == "RUNNING":
            self.state, self.details = state, details

    def described(self) -> dict[str, Any]:
        told = {"applicationId": "app", "jobRunId": self.id, "arn": "arn", "createdBy": "me", "state": self.state}
        told |= {
            "createdAt": 1,
            "updatedAt": 1,
            "executionRole": "r",
            "stateDetails": self.details,
            "jobDriver": self.request["jobDriver"],
        }
        told |= {"releaseLabel": "emr-7.5.0", "flexExecution": self.request.get("flexExecution", {"enabled": False})}
        return {**told, "billedResourceUtilization": {"vCPUHour": 1.5}}


@dataclass
class EmrServerless:
    """The service. ``watching`` is called with each run that is described, before the answer."""

    runs: dict[str, JobRun] = field(default_factory=dict)
    watching: Callable[[JobRun], None] = lambda run: None

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        if operation == "GET /applications/app":
            return {"application": {"applicationId": "app", "arn": "arn", "state": "STARTED"}}
        if operation == "POST /applications/app/jobruns":
            tokens = {run.request["clientToken"]: run for run in self.runs.values()}
            run = tokens.get(request["clientToken"]) or JobRun(f"run-{len(self.runs) + 1}", request)
            self.runs[run.id] = run
            return {"applicationId": "app", "jobRunId": run.id, "arn": "arn"}
        method, _, path = operation.partition(" /applications/app/jobruns/")
        if not path:
            return None
        run = self.runs.get(path)
        if run is None:
            raise ApiError("ResourceNotFoundException", "JobRun does not exist.", 404)
        if method == "DELETE":
            run.end("CANCELLED")
            return {"applicationId": "app", "jobRunId": run.id}
        self.watching(run)
        return {"jobRun": run.described()}

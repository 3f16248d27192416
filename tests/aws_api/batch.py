# SPDX-License-Identifier: Apache-2.0
"""AWS Batch: the command of a job runs as a local process, on an instance that can be reclaimed."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HOST_GONE = "Host EC2 (instance i-0123456789abcdef0) terminated."


class Job:
    """One job of one container."""

    def __init__(self, request: dict[str, Any], instead: list[str] | None) -> None:
        self.request, self.id = request, str(uuid.uuid4())
        self.reason: str | None = None
        self.terminated = False
        self.placed = True
        command = instead or request["containerOverrides"]["command"]
        self.process = subprocess.Popen(command, start_new_session=True)

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def end(self, reason: str, *, by_person: bool = False) -> None:
        if not self.over:
            self.reason, self.terminated = reason, by_person
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def described(self) -> dict[str, Any]:
        code = self.process.poll()
        living = "RUNNING" if self.placed else "RUNNABLE"
        status = living if code is None else ("FAILED" if code or self.reason else "SUCCEEDED")
        told: dict[str, Any] = {
            "jobId": self.id,
            "jobName": self.request["jobName"],
            "jobQueue": f"arn:aws:batch:us-east-1:123456789012:job-queue/{self.request['jobQueue']}",
            "jobDefinition": self.request["jobDefinition"],
            "status": status,
            "startedAt": 1,
            "isTerminated": self.terminated,
            "attempts": [],
            "container": {},
        }
        if code is not None:
            told["statusReason"] = self.reason or "Essential container in task exited"
            container = {"exitCode": code} if code >= 0 else {}
            told["container"] = container
            told["attempts"] = [{"statusReason": told["statusReason"], "container": container}]
        return told


@dataclass
class Batch:
    """The service.

    :param watching: called with each job that is described, before the answer.
    :param instead: what runs in the place of a job's own command.
    :param hosts: whether there are hosts for jobs; without, they stay ``RUNNABLE``.
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    watching: Callable[[Job], None] = lambda job: None
    instead: list[str] | None = None
    hosts: bool = True

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        match operation:
            case "POST /v1/submitjob":
                job = Job(request, self.instead)
                job.placed = self.hosts
                self.jobs[job.id] = job
                return {"jobId": job.id, "jobName": request["jobName"]}
            case "POST /v1/describejobs":
                known = [self.jobs[name] for name in request["jobs"] if name in self.jobs]
                for job in known:
                    self.watching(job)
                return {"jobs": [job.described() for job in known]}
            case "POST /v1/terminatejob":
                self.jobs[request["jobId"]].end(request["reason"], by_person=True)
                return {}
        return None

    def close(self) -> None:
        for job in self.jobs.values():
            job.end("the test is over")

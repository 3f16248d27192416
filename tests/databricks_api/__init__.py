# SPDX-License-Identifier: Apache-2.0
"""Databricks on a loopback address, as far as submitted runs need it: a run's command is a local process.

The driver of a run can be lost as a spot instance is.
https://docs.databricks.com/api/workspace/jobs and https://docs.databricks.com/api/workspace/clusters
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from loopback import LoopbackService

if TYPE_CHECKING:
    from collections.abc import Callable

SPOT_LOST = {"code": "SPOT_INSTANCE_TERMINATION", "type": "CLOUD_FAILURE"}
STOCKOUT = {"code": "CLOUD_PROVIDER_RESOURCE_STOCKOUT", "type": "CLOUD_FAILURE"}
SHUT_DOWN = {"code": "CLOUD_PROVIDER_SHUTDOWN", "type": "CLOUD_FAILURE"}


class Run:
    """One run of one task on a cluster of its own. Its command is the parameters of its Python task."""

    def __init__(self, number: int, request: dict[str, Any]) -> None:
        self.number, self.request = number, request
        self.result = self.message = ""
        self.code = ("", "")
        self.reason: dict[str, Any] | None = None
        part = (request.get("tasks") or [request])[0]
        self.cluster = part.get("new_cluster") or {}
        command = part["spark_python_task"]["parameters"]
        self.process = subprocess.Popen(command, start_new_session=True)

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def _end(self, result: str, code: str, kind: str, message: str) -> None:
        if not self.over:
            self.result, self.code, self.message = result, (code, kind), message
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def lose_cluster(self, reason: dict[str, Any]) -> None:
        self.reason = reason
        self._end("FAILED", "CLUSTER_ERROR", "CLOUD_FAILURE", "Run failed: its cluster has ended.")

    def cancel(self) -> None:
        self._end("CANCELED", "USER_CANCELED", "SUCCESS", "Run cancelled.")

    def time_out(self) -> None:
        self._end("TIMEDOUT", "RUN_EXECUTION_ERROR", "CLIENT_ERROR", "Run timed out.")

    def state(self) -> dict[str, Any]:
        if not self.over:
            return {"life_cycle_state": "RUNNING", "state_message": "In run"}
        failed = self.process.returncode != 0
        result = self.result or ("FAILED" if failed else "SUCCESS")
        state = "INTERNAL_ERROR" if self.reason else "TERMINATED"
        return {"life_cycle_state": state, "result_state": result, "state_message": self.message}

    def described_cluster(self) -> dict[str, Any]:
        """The operator sends numbers as text; Databricks answers with numbers."""
        cluster = {**self.cluster, "termination_reason": self.reason or {}}
        if "first_on_demand" in (attributes := cluster.get("aws_attributes", {})):
            cluster["aws_attributes"] = {**attributes, "first_on_demand": int(attributes["first_on_demand"])}
        return cluster

    def described(self) -> dict[str, Any]:
        told: dict[str, Any] = {"state": self.state()}
        if self.over:
            failed = self.process.returncode != 0
            code, kind = self.code if self.code[0] else ("RUN_EXECUTION_ERROR", "CLIENT_ERROR")
            if not failed:
                code, kind = "SUCCESS", "SUCCESS"
            told["status"] = {"state": "TERMINATED", "termination_details": {"code": code, "type": kind}}
        task = {"task_key": "only", "run_id": self.number + 1, "attempt_number": 0, "new_cluster": self.cluster}
        task["cluster_instance"] = {"cluster_id": f"cluster-{self.number}"}
        return {
            "run_id": self.number,
            "job_id": 7,
            "run_page_url": "http://page",
            "tasks": [{**task, **told}],
            **told,
        }


@dataclass
class Databricks(LoopbackService):
    """The endpoint. ``asked`` is every request so far; ``watching`` is called with each run that is described."""

    runs: dict[int, Run] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    watching: Callable[[Run], None] = lambda run: None

    def handler(self) -> type[BaseHTTPRequestHandler]:
        return _handler(self)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for run in self.runs.values():
            run.cancel()

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.asked if name.endswith(operation)]

    def respond(self, path: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer, None for what is not there."""
        self.asked.append((path, request))
        match path.partition("/api/")[2].partition("/")[2]:
            case "jobs/runs/submit":
                return {"run_id": self._submitted(request)}
            case "clusters/get":
                run = self.runs[int(request["cluster_id"].removeprefix("cluster-"))]
                return {"cluster_id": request["cluster_id"], **run.described_cluster()}
            case "jobs/runs/get" if (run := self._run(request)) is not None:
                self.watching(run)
                return run.described()
            case "jobs/runs/cancel" if (run := self._run(request)) is not None:
                run.cancel()
                return {}
            case "jobs/runs/get-output":
                return {"error": "it failed", "metadata": {}}
        return None

    def _run(self, request: dict[str, Any]) -> Run | None:
        return self.runs.get(int(request["run_id"]))

    def _submitted(self, request: dict[str, Any]) -> int:
        """The same token leads to the same run, however it ended."""
        token = request.get("idempotency_token")
        if token in self.tokens:
            return self.tokens[token]
        number = 100 * (len(self.runs) + 1)
        self.runs[number] = Run(number, request)
        if token:
            self.tokens[token] = number
        return number


def environment_of(api: Databricks) -> dict[str, str]:
    """What sends a process to the endpoint."""
    port = api.server.server_address[1]
    connection = {"conn_type": "databricks", "host": "127.0.0.1", "schema": "http", "port": port, "password": "any"}
    return {"AIRFLOW_CONN_DATABRICKS_DEFAULT": json.dumps(connection)}


def _handler(api: Databricks) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = urlsplit(self.path)
            answer = api.respond(asked.path, {**dict(parse_qsl(asked.query)), **json.loads(body or b"{}")})
            status = 404 if answer is None else 200
            text = json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST"} if answer is None else answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self.do_POST()

    return Handler

# SPDX-License-Identifier: Apache-2.0
"""One HTTP endpoint for several services: JSON by ``X-Amz-Target``, or REST by path."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

from loopback import LoopbackService


class ApiError(Exception):
    """What a service refuses with."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


class Service(Protocol):
    """A service. Each operation is a method named like it, and takes and returns what the service's model says."""

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer, None if this is no operation of the service."""


class Operations:
    """A service of which ``RunTask`` is the method ``run_task``."""

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        method = getattr(self, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower(), None)
        return None if method is None else method(request)


@dataclass
class AwsApi(LoopbackService):
    """The endpoint. ``asked`` is every request so far, as operation and what was in it."""

    services: list[Service]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        return _handler(self)

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.asked if name == operation]

    def respond(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((operation, request))
        for service in self.services:
            answer = service.answer(operation, request)
            if answer is not None:
                return answer
        raise ApiError("UnknownOperationException", operation)


def environment_of(api: AwsApi) -> dict[str, str]:
    """What sends a process to the endpoint, with credentials that nobody else would accept."""
    return {
        "AWS_ENDPOINT_URL": api.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
    }


def _handler(api: AwsApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = self.headers.get("X-Amz-Target")
            operation = target.rpartition(".")[2] if target else f"{self.command} {self.path.partition('?')[0]}"
            try:
                self.reply(200, api.respond(operation, json.loads(body or b"{}")))
            except ApiError as error:
                self.reply(error.status, {"__type": error.code, "message": str(error)}, error.code)

        def do_GET(self) -> None:
            self.do_POST()

        def do_DELETE(self) -> None:
            self.do_POST()

        def reply(self, status: int, answer: dict[str, Any], error: str = "") -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            if error:
                self.send_header("x-amzn-errortype", error)
            self.end_headers()
            self.wfile.write(body)

    return Handler

# SPDX-License-Identifier: Apache-2.0
"""The part that all fake metadata services share: a real HTTP server on loopback that records, fails on demand, obeys.

Decides how a fake is started, watched and made to fail. Must not know any vendor's paths. The surprising fact: a fault
that only a timeout can show (a hanging answer) must itself end when the server closes, or every test pays for it.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

CONTROL_PREFIX = "/_control/"

HANG_SECONDS = 60.0
"""Longer than any client should wait."""


class Fault(Enum):
    """A way to fail. Each fake says which it can: a fault that it cannot show raises ValueError."""

    OFF = "off"
    """Everything is 403: EC2 with its metadata service switched off."""

    ERROR = "error"
    """Everything is 500."""

    THROTTLED = "throttled"
    """Everything is 429."""

    GARBLED = "garbled"
    """Everything is 200 with half a JSON document."""

    SLOW = "slow"
    """Everything takes half a second."""

    TOKEN_HANGS = "token-hangs"  # noqa: S105 - a name
    """EC2: the token's PUT is never answered, as in a container behind a hop limit of 1."""

    TOKEN_REJECTED = "token-rejected"  # noqa: S105 - a name
    """EC2: every token is answered 401, as if expired."""


class Request(NamedTuple):
    """One request as it was received; ``headers`` has lower-case names."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """One answer to send."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


NOT_FOUND = Answer(404, "Not Found")

_WHOLESALE = {
    Fault.OFF: Answer(403, "Forbidden"),
    Fault.ERROR: Answer(500, "Internal Server Error"),
    Fault.THROTTLED: Answer(429, "Too Many Requests"),
    Fault.GARBLED: Answer(200, '{"Events": [{"EventTy'),
}


class FakeMetadata(ABC):
    """A fake metadata service; a context manager that serves while it is open.

    ``host`` defaults to loopback, ``port`` to 0: any free one.
    """

    faults: frozenset[Fault] = frozenset(_WHOLESALE) | {Fault.SLOW}
    """The faults that this fake can show."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._fault: Fault | None = None
        fake = self

        class Handler(_Handler):
            owner = fake

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def authority(self) -> str:
        """``host:port``."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    @property
    def url(self) -> str:
        """The root of the service."""
        return f"http://{self.authority}"

    @property
    @abstractmethod
    def env(self) -> dict[str, str]:
        """The environment variables that point a process at this fake."""

    @property
    def controls(self) -> Mapping[str, Callable[..., None]]:
        """What ``POST /_control/<name>`` may call, with a JSON object of arguments."""
        return {"interrupt": self.interrupt, "clear": self.clear, "fail": self.fail}

    interrupt: Callable[..., None]
    """Announce that the machine goes; each vendor can say something else about it."""

    @abstractmethod
    def clear(self) -> None:
        """Take every announcement back."""

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Answer as the real service does, when no fault is set."""

    def fail(self, fault: Fault | str | None) -> None:
        """Fail from now on in this way; None heals. Raises ValueError for a fault that this fake cannot show."""
        wanted = None if fault is None else Fault(fault)
        if wanted is not None and wanted not in self.faults:
            raise ValueError(
                f"{type(self).__name__} cannot show {wanted}; it can show {sorted(f.value for f in self.faults)}"
            )
        self._fault = wanted

    def count(self, path: str = "", method: str = "") -> int:
        """Return how many requests had a path ending in ``path`` and this method; empty means any."""
        return sum(r.path.endswith(path) and method in ("", r.method) for r in list(self.requests))

    def respond(self, request: Request) -> Answer:
        """Record the request and answer it, faults included."""
        self.requests.append(request)
        if self._fault is Fault.SLOW:
            self.closing.wait(0.5)
        elif self._fault in _WHOLESALE:
            return _WHOLESALE[self._fault]
        return self.answer(request)

    def control(self, request: Request, body: str) -> Answer:
        """Serve one control request; ``GET /_control/state`` counts the requests seen."""
        name = request.path.removeprefix(CONTROL_PREFIX)
        if request.method == "GET":
            return Answer(200, json.dumps({"requests": len(self.requests)})) if name == "state" else NOT_FOUND
        if name not in self.controls:
            return NOT_FOUND
        try:
            arguments: dict[str, Any] = json.loads(body or "{}")
            self.controls[name](**arguments)
        except (TypeError, ValueError) as error:
            return Answer(400, str(error))
        return Answer(200, "{}")

    def start(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and release every hanging request."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


class _Handler(BaseHTTPRequestHandler):
    owner: FakeMetadata
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, url.path, dict(parse_qsl(url.query)), headers)
        body = self.rfile.read(int(headers.get("content-length") or 0)).decode()
        controlled = url.path.startswith(CONTROL_PREFIX)
        answer = self.owner.control(request, body) if controlled else self.owner.respond(request)
        payload = answer.body.encode()
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)
        except OSError:
            self.close_connection = True  # the client has given up, which is what it should do

    do_GET = do_PUT = do_POST = _serve  # noqa: N815 - names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in http.server
        """Keep the tests' output clean; ``requests`` has it all."""

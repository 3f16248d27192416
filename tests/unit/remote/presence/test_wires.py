# SPDX-License-Identifier: Apache-2.0
"""Places that hang, refuse, or do not accept the credentials, by the providers' own clients over a socket.

Nothing is ended, and one warning tells of it.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

from airflow_interruptible.remote import presence
from airflow_interruptible.server import lookout
from airflow_interruptible.server.overdue import Overdue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

for provider in ("amazon", "celery", "cncf.kubernetes", "google"):
    pytest.importorskip(f"airflow.providers.{provider}")

LATE = timedelta(seconds=10)
_JSON = "application/x-amz-json-1.1"
_TOO_SHORT = (
    "401 Unauthorized",
    "text/xml",
    (
        "<Response><Errors><Error><Code>AuthFailure</Code><Message>AWS was not able to validate the provided access "
        "credentials</Message></Error></Errors><RequestID>1</RequestID></Response>"
    ),
)
_UNKNOWN = (
    "400 Bad Request",
    _JSON,
    json.dumps(
        {"__type": "UnrecognizedClientException", "message": "The security token included in the request is invalid."}
    ),
)
_GRANT = (
    "400 Bad Request",
    "application/json",
    json.dumps({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
)
_FORBIDDEN = (
    "403 Forbidden",
    "application/json",
    json.dumps(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"}
    ),
)


@dataclass(frozen=True)
class Place:
    """A place as attempts need it.

    :param executor: of the attempt that runs there.
    :param where: its whereabouts.
    :param denial: what it answers to wrong credentials: a line and a body of HTTP, None for redis.
    :param says: what the warning quotes of that.
    """

    name: str
    executor: str
    where: Mapping[str, str]
    denial: tuple[str, str, str] | None
    says: str
    external_id: str | None = None


PLACES = (
    Place("EC2", "CeleryExecutor", {"instance_id": "i-0aaaaaaaaaaaaaaaa"}, _TOO_SHORT, "AuthFailure"),
    Place("ECS", "AwsEcsExecutor", {}, _UNKNOWN, "UnrecognizedClientException", "arn:aws:ecs:us-east-1:1:task/c/01"),
    Place("Batch", "AwsBatchExecutor", {}, _UNKNOWN, "UnrecognizedClientException", "01-02"),
    Place("Compute Engine", "CeleryExecutor", {"vm": "worker-1"}, _GRANT, "invalid_grant"),
    Place("Kubernetes", "KubernetesExecutor", {"pod": "p", "namespace": "n"}, _FORBIDDEN, "Forbidden"),
    Place("Celery", "CeleryExecutor", {"celery_worker": "celery@a"}, None, "Authentication required"),
)


@dataclass
class Wire:
    """What a place's address leads to."""

    port: int
    callers: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def hanging(_: Place) -> Iterator[Wire]:
    """It takes the call, and never says a word."""
    over = threading.Event()

    class Silence(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire.callers.append(self.client_address)
            over.wait()

    with _served(Silence) as wire:
        try:
            yield wire
        finally:
            over.set()


@contextmanager
def refusing(_: Place) -> Iterator[Wire]:
    """Nobody is there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield Wire(taken.getsockname()[1])


@contextmanager
def denying(place: Place) -> Iterator[Wire]:
    """It does not know these credentials."""

    class Denial(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while words := self.rfile.readline():
                if place.denial is None and words.startswith(b"*"):
                    self.wfile.write(b"-NOAUTH Authentication required.\r\n")
                elif place.denial is not None and words == b"\r\n":
                    line, kind, body = place.denial
                    head = f"HTTP/1.1 {line}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                    self.wfile.write(f"{head}Connection: close\r\n\r\n{body}".encode())
                    return

    with _served(Denial) as wire:
        yield wire


@contextmanager
def _served(handler: type[socketserver.BaseRequestHandler]) -> Iterator[Wire]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Wire(server.server_address[1])
        finally:
            server.shutdown()


@pytest.fixture
def connect(aws: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Wire], None]:
    """Let every client reach the wire, and nothing else."""

    def lead(wire: Wire) -> None:
        from airflow.providers.celery.executors.celery_executor_utils import app

        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.url)
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(_service_account(wire)))
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(wire)))
        monkeypatch.setenv("AIRFLOW__KUBERNETES_EXECUTOR__IN_CLUSTER", "False")
        monkeypatch.setenv("AIRFLOW__KUBERNETES_EXECUTOR__CONFIG_FILE", str(kubeconfig))
        monkeypatch.setattr(app.conf, "broker_write_url", f"redis://127.0.0.1:{wire.port}/0")

    return lead


def _kubeconfig(wire: Wire) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": wire.url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


def _service_account(wire: Wire) -> dict[str, Any]:
    """A connection whose key was never given out: its token is asked for at the wire."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    keyfile = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "k",
        "private_key": key.decode(),
        "client_email": "a@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{wire.url}/token",
    }
    return {"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": json.dumps(keyfile), "project": "p"}}


@pytest.fixture
def expired(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The attempts that were ended. No look of another test is under way, and none of this one outlives it."""
    ended: list[Any] = []
    monkeypatch.setattr(lookout.overdue, "expire", lambda attempt: ended.append(attempt.row_id) or True)
    monkeypatch.setattr(presence, "_asked", {})
    yield ended
    until(lambda: not presence._asked)


@pytest.fixture
def watching(
    connect: Callable[[Wire], None], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Place, Wire], lookout.Watch]:
    """A watch that finds one attempt late, each time it looks, and asks for it at the end of the wire."""

    def build(place: Place, wire: Wire) -> lookout.Watch:
        connect(wire)
        life = presence.Life(place.executor, place.where, place.external_id, datetime.now(timezone.utc))
        heard = datetime.now(timezone.utc) - timedelta(minutes=4)
        late = Overdue("row", ("d", "t", "r", -1), 1, heard, life)
        monkeypatch.setattr(lookout.overdue, "silent", lambda *_: iter([late]))
        return lookout.Watch(7, LATE)

    return build


@pytest.mark.parametrize("wire", [refusing, denying])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_place_that_refuses_proves_nothing_and_is_told_once(
    place: Place, wire: Any, watching: Any, expired: list[Any], warnings_of: Callable[[], list[str]]
) -> None:
    with wire(place) as way:
        watch = watching(place, way)
        watch.look()
        watch.look()
    assert expired == []
    (warning,) = [line for line in warnings_of() if "cannot be asked" in line]
    assert warning.startswith(f"{place.name} cannot be asked for attempts whose heartbeat is late: ")
    assert "no answer within" not in warning
    if wire is denying:
        assert place.says in warning


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_place_that_hangs_is_waited_for_by_one_thread_only(
    place: Place,
    watching: Any,
    expired: list[Any],
    warnings_of: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The scheduler's loop is no part of it: it only starts the patrol that looks."""
    monkeypatch.setattr(presence, "SECONDS", 0.2)
    with hanging(place) as way:
        watch = watching(place, way)
        watch.look()
        until(lambda: way.callers)
        watch.look()
        watch.look()
        assert len(way.callers) == 1
    assert expired == []
    (warning,) = [line for line in warnings_of() if "cannot be asked" in line]
    assert warning.startswith(f"{place.name} cannot be asked for attempts whose heartbeat is late: no answer within")

# SPDX-License-Identifier: Apache-2.0
"""One gRPC endpoint for several services, behind a proxy that sends every host of Google's to it.

The hooks offer no address of one's own: gRPC asks the proxy that ``grpc_proxy`` names to connect it, and trusts the
authority that is named beside it. Only gRPC reads either, so nothing else of Airflow is led astray.
https://github.com/grpc/grpc/blob/master/doc/environment_variables.md

The surprising fact: gRPC reads that authority once for a process, so a process has one endpoint, and its services
change.
"""

from __future__ import annotations

import select
import socket
import socketserver
import tempfile
import threading
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import grpc

from google_api.authority import issue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Method = tuple["Callable[[Any], Any]", type, type]
"""What answers a call, and the messages that it takes and returns."""


class Refusal(Exception):
    """What a service refuses with."""

    def __init__(self, status: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.status = status


class Service(Protocol):
    """A service."""

    def methods(self) -> Mapping[str, Method]:
        """Return its calls by their full name, such as ``google.cloud.batch.v1.BatchService/GetJob``."""


@dataclass
class GoogleApi:
    """The endpoint. ``asked`` is every request so far, as the last part of its name and the message."""

    services: list[Service] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        certificates = issue("*.googleapis.com")
        self.home = tempfile.TemporaryDirectory(prefix="google-api-")
        self.authority = Path(self.home.name) / "authority.pem"
        self.authority.write_bytes(certificates.authority)
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers([_Handlers(self)])
        credentials = grpc.ssl_server_credentials([(certificates.key, certificates.server)])
        self.port = self.server.add_secure_port("127.0.0.1:0", credentials)
        self.server.start()
        self.proxy = _Proxy(self.port)
        threading.Thread(target=self.proxy.serve_forever, daemon=True, name="google-api-proxy").start()

    def close(self) -> None:
        """Answer nobody any more."""
        self.proxy.shutdown()
        self.proxy.server_close()
        self.server.stop(None)
        self.home.cleanup()

    def requests(self, operation: str) -> list[Any]:
        return [request for name, request in self.asked if name == operation]

    def method(self, name: str) -> Method | None:
        found = (service.methods().get(name) for service in self.services)
        return next((method for method in found if method is not None), None)


def environment_of(api: GoogleApi) -> dict[str, str]:
    """What sends a process to the endpoint, with nobody's credentials."""
    return {
        "grpc_proxy": f"http://127.0.0.1:{api.proxy.server_address[1]}",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(api.authority),
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": '{"conn_type": "google_cloud_platform", '
        '"extra": {"is_anonymous": true, "project": "p"}}',
    }


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, api: GoogleApi) -> None:
        self.api = api

    def service(self, call: Any) -> Any:
        name = call.method.lstrip("/")
        method = self.api.method(name)
        if method is None:
            return None
        answer, takes, returns = method

        def respond(request: Any, context: grpc.ServicerContext) -> Any:
            self.api.asked.append((name.rpartition("/")[2], request))
            try:
                return answer(request)
            except Refusal as refusal:
                context.abort(refusal.status, str(refusal))

        read = takes.deserialize if hasattr(takes, "deserialize") else takes.FromString
        write = returns.serialize if hasattr(returns, "serialize") else returns.SerializeToString
        return grpc.unary_unary_rpc_method_handler(respond, read, write)


class _Proxy(socketserver.ThreadingTCPServer):
    """A proxy that understands CONNECT, and connects everybody to one port."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.port = port


class _Tunnel(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            more = self.request.recv(4096)
            if not more:
                return
            asked += more
        with socket.create_connection(("127.0.0.1", self.server.port)) as server:
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            ends = {self.request: server, server: self.request}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)

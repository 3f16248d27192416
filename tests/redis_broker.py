# SPDX-License-Identifier: Apache-2.0
"""A throw-away redis for tests, as Celery's broker: on a free port of the loopback interface, gone afterwards."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOPBACK = "127.0.0.1"


@contextmanager
def redis_broker() -> Iterator[str]:
    """Start a server and yield its URL.

    :raises RuntimeError: redis is not installed.
    """
    if shutil.which("redis-server") is None:
        raise RuntimeError("The tests of Celery need redis-server. Run `make system`, or apt-get install redis-server.")
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", _LOOPBACK, "--save", "", "--appendonly", "no"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            until(lambda: _answers(port))
            yield f"redis://{_LOOPBACK}:{port}/0"
        finally:
            server.terminate()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((_LOOPBACK, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False

# SPDX-License-Identifier: Apache-2.0
"""A throw-away PostgreSQL for tests: a cluster of its own in a temporary directory, gone afterwards.

::

    with postgres() as sql_alchemy_conn:
        with SpotLab("dags", sql_alchemy_conn=sql_alchemy_conn, schedulers=2) as lab:
            ...

Up within two seconds, for it never waits for a disk. It listens on the loopback interface and trusts everybody there.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOPBACK = "127.0.0.1"
_UNSAFE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300")
_SECONDS = 120


@contextmanager
def postgres() -> Iterator[str]:
    """Start a cluster and yield its ``[database] sql_alchemy_conn``.

    :raises RuntimeError: PostgreSQL is not installed, or does not come up.
    """
    home = Path(tempfile.mkdtemp(prefix="postgres-"))
    as_user = _owner(home)
    program = _programs()
    data, log, port = home / "data", home / "log", free_port()
    subprocess.run(
        [program / "initdb", "--auth=trust", "--username=airflow", "--encoding=UTF8", "--no-sync", "-D", data],
        check=True, capture_output=True, cwd=home, **as_user,
    )  # fmt: skip
    settings = [*_UNSAFE, f"listen_addresses={_LOOPBACK}", f"port={port}", f"unix_socket_directories={home}"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [program / "postgres", "-D", data, *(word for setting in settings for word in ("-c", setting))],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=home, **as_user,
        )  # fmt: skip
    try:
        wait_until(
            lambda: _answers(program, port),
            lambda up: up or server.poll() is not None,
            what="PostgreSQL",
            timeout=_SECONDS,
        )
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended while it started. Its log:\n{log.read_text()}")
        yield f"postgresql+psycopg2://airflow@{_LOOPBACK}:{port}/postgres"
    finally:
        server.send_signal(signal.SIGQUIT)  # nothing in it is worth an orderly end
        server.wait(_SECONDS)
        shutil.rmtree(home, ignore_errors=True)


def _programs() -> Path:
    """Where the server's programs are; Debian keeps them out of the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = debian[-1] if debian else shutil.which("initdb")
    if found is None:
        raise RuntimeError("PostgreSQL is not installed, which this test needs. Run: make system")
    return Path(found).resolve().parent


def _owner(home: Path) -> dict[str, Any]:
    """Whose the server is: it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    shutil.chown(home, "postgres", "postgres")
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def _answers(program: Path, port: int) -> bool:
    command = [program / "pg_isready", "-q", "-h", _LOOPBACK, "-p", str(port)]
    return subprocess.run(command, check=False).returncode == 0


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])

# SPDX-License-Identifier: Apache-2.0
"""A throw-away PostgreSQL of this machine, for what SQLite cannot show.

PostgreSQL refuses to run as root, so a root who tests becomes the user that Debian's package made for it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSTALLED = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The directory of the newest PostgreSQL that Debian's packages installed, None if there is none."""
    found = [path for path in _INSTALLED.glob("*/bin") if (path / "initdb").exists()]
    return max(found, key=lambda path: float(path.parent.name), default=None)


@contextmanager
def postgres(**settings: str) -> Iterator[str]:
    """Run one for the ``with`` block, and return the URL of an empty database in it.

    :param settings: of postgresql.conf.
    """
    binaries = programs()
    if binaries is None:
        raise RuntimeError("no PostgreSQL is installed: apt-get install postgresql")
    home = Path(tempfile.mkdtemp(prefix="airflow-postgres-", dir="/tmp"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(home, user)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [str(binaries / program), *arguments], check=True, user=user, cwd=home, stdout=subprocess.DEVNULL
        )

    data, port = home / "data", _free_port()
    options = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(home)}
    options |= {"fsync": "off", "max_connections": "200", **settings}
    try:
        run("initdb", "--pgdata", str(data), "--auth", "trust", "--username", "airflow", "--no-sync")
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in options.items())
        run("pg_ctl", "start", "--wait", "--pgdata", str(data), "--log", str(home / "log"))
        run("createdb", "--host", "127.0.0.1", "--port", str(port), "--username", "airflow", "airflow")
        yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/airflow"
    finally:
        if (data / "postmaster.pid").exists():
            run("pg_ctl", "stop", "--wait", "--mode", "immediate", "--pgdata", str(data))
        shutil.rmtree(home, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

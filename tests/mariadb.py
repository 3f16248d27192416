# SPDX-License-Identifier: Apache-2.0
"""A throw-away MariaDB for tests, like :mod:`postgres`. It stands for MySQL, which Debian has not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postgres import free_port

from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOPBACK = "127.0.0.1"
_SECONDS = 120
_DATABASE = f"""
CREATE DATABASE airflow CHARACTER SET utf8mb3;
CREATE USER airflow@'{_LOOPBACK}';
GRANT ALL ON *.* TO airflow@'{_LOOPBACK}';
"""


@contextmanager
def mariadb() -> Iterator[str]:
    """Start a server and yield its ``[database] sql_alchemy_conn``.

    :raises RuntimeError: MariaDB is not installed, or does not come up.
    """
    if shutil.which("mariadbd") is None:
        raise RuntimeError("MariaDB is not installed, which this test needs: apt-get install mariadb-server")
    home = Path(tempfile.mkdtemp(prefix="mariadb-"))
    as_user = _owner(home)
    data, log, socket, port = home / "data", home / "log", home / "socket", free_port()
    subprocess.run(
        ["mariadb-install-db", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True, capture_output=True, cwd=home, **as_user,
    )  # fmt: skip
    settings = [f"--datadir={data}", f"--port={port}", f"--bind-address={_LOOPBACK}", f"--socket={socket}"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            ["mariadbd", "--no-defaults", "--innodb-flush-log-at-trx-commit=0", *settings],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=home, **as_user,
        )  # fmt: skip
    ask = ["mariadb", "-uroot", "-S", str(socket)]
    try:
        wait_until(
            lambda: subprocess.run([*ask, "-e", "SELECT 1"], check=False, capture_output=True).returncode == 0,
            lambda up: up or server.poll() is not None,
            what="MariaDB",
            timeout=_SECONDS,
        )
        if server.poll() is not None:
            raise RuntimeError(f"MariaDB ended while it started. Its log:\n{log.read_text()}")
        subprocess.run(ask, input=_DATABASE, text=True, check=True)
        yield f"mysql+pymysql://airflow@{_LOOPBACK}:{port}/airflow"
    finally:
        server.send_signal(signal.SIGKILL)  # nothing in it is worth an orderly end
        server.wait(_SECONDS)
        shutil.rmtree(home, ignore_errors=True)


def _owner(home: Path) -> dict[str, Any]:
    """Whose the server is: it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    shutil.chown(home, "mysql", "mysql")
    return {"user": "mysql", "group": "mysql", "extra_groups": []}

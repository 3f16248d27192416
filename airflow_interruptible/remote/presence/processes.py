# SPDX-License-Identifier: Apache-2.0
"""Processes of this host: an attempt of LocalExecutor, whose task and whose supervisor are both gone.

LocalExecutor runs its tasks where the scheduler runs, which is who asks. The surprising fact: a process that is
stopped, or that waits for a disk, is there all the same; and the number of one that is gone may belong to another by
now, which is told by when that one started.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from airflow_interruptible.remote.presence import Life, Proof, Token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

_EXECUTOR = "LocalExecutor"


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts that have no process left on this host."""
    host = socket.gethostname()
    for token, life in lives.items():
        pids = [life.where.get(name, "") for name in ("pid", "supervisor")]
        known = life.begun is not None and all(pid.isdecimal() for pid in pids)
        ours = known and life.executor.endswith(_EXECUTOR) and life.where.get("host") == host
        if ours and not any(_lives(int(pid), life.begun) for pid in pids):
            yield token, Proof(f"its process {pids[0]} on {host}")


def _lives(pid: int, begun: datetime | None) -> bool:
    """Whether a process is there that may be the attempt's. What is not known for sure is taken to live."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return False
        return begun is None or process.create_time() <= begun.timestamp()
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True

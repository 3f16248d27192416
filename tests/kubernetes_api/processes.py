# SPDX-License-Identifier: Apache-2.0
"""A container as a local process: its own session, real SIGTERM, and a SIGKILL that leaves nobody behind.

Surprising: when a container ends, its whole PID namespace dies. Without one, that is everything in the session of its
main process, and everything that carries its mark in the environment: some start a session of their own, others
(Airflow) rename themselves, which destroys what the system knows of their environment. Who does both survives.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kubernetes_api.container_log import ContainerLog

_MARK = "KUBERNETES_API_CONTAINER"
_LAST_OUTPUT_SECONDS = 2.0
_LONGEST_LINE = 1 << 22


class ContainerProcess:
    """A started container. Make one with :meth:`start`.

    :param process: its main process, which leads a session.
    :param log: where its output goes.
    :param mark: what all its processes have in their environment.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: ContainerLog, mark: str) -> None:
        self._process = process
        self._mark = mark
        self._reader = asyncio.create_task(_copy(process.stdout, log))
        self._log = log

    @classmethod
    async def start(
        cls, argv: Sequence[str], *, env: Mapping[str, str], directory: str, log: ContainerLog
    ) -> ContainerProcess:
        """Start the main process.

        :raises OSError: when it cannot be executed.
        """
        mark = secrets.token_hex(8)
        process = await asyncio.create_subprocess_exec(
            *argv,
            env={**env, _MARK: mark},
            cwd=directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        return cls(process, log, mark)

    @property
    def pid(self) -> int:
        """The main process, also the session."""
        return self._process.pid

    def terminate(self, *, whole_group: bool = False) -> None:
        """Send SIGTERM to the main process, or, as dumb-init passes it on, to its process group."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if whole_group else os.kill)(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL the container: the main process and all that it started."""
        _kill(_members(self.pid, self._mark))

    async def wait(self) -> int:
        """Wait until the main process has ended, end what it left, and return its exit code as a shell tells it."""
        exit_code = await self._process.wait()
        self.kill()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._reader, _LAST_OUTPUT_SECONDS)
        self._log.close()
        return exit_code if exit_code >= 0 else 128 - exit_code


async def _copy(source: asyncio.StreamReader | None, log: ContainerLog) -> None:
    while source is not None and (line := await source.readline()):
        log.append(line)


def _members(leader: int, mark: str) -> list[int]:
    return [process.pid for process in psutil.process_iter() if _belongs(process, leader, mark)]


def _belongs(process: psutil.Process, leader: int, mark: str) -> bool:
    try:
        return os.getsid(process.pid) == leader or process.environ().get(_MARK) == mark
    except (OSError, psutil.Error):
        return False


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)

# SPDX-License-Identifier: Apache-2.0
"""One Airflow component as a real process, in its own session, with its own log file.

It decides how a component is started, told to end, and surely ended. It must not know which components a stack has, nor
when one is healthy.

Surprising: the workers of LocalExecutor are in the scheduler's process group and the tasks in groups of their own, but
all of them stay in the scheduler's session unless they leave it on purpose. So the session is what is swept.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

from airflow_interruptible.testing.errors import LabError
from airflow_interruptible.testing.processes import SIGKILL_SECONDS, kill_all, own_processes, session_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TAIL_LINES = 25


class Component:
    """A named Airflow command that can be started again and again.

    :param name: what the stack calls it.
    :param env: its whole environment.
    :param home: its working directory; its log is ``<home>/<name>.log``, appended to at each start.
    :param command: the ``airflow`` sub-command, such as ``scheduler``. None is its name.
    """

    def __init__(self, name: str, *, env: Mapping[str, str], home: Path, command: str | None = None) -> None:
        self.name = name
        self.command = command or name
        self.log = home / f"{name}.log"
        self.started_at = 0.0
        self._told = 0
        self._env = env
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._sessions: set[int] = set()

    @property
    def pid(self) -> int | None:
        """The id of the process last started; None before the first start."""
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs, negative for a signal."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the process and return at once.

        :raises LabError: when it runs already.
        """
        if self.alive:
            raise LabError(f"{self.name} runs already (pid {self.pid}). Stop it first, or use restart().")
        self.started_at = time.time()
        self._told = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "airflow", self.command],
                env=dict(self._env),
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._sessions.add(self._process.pid)

    def ask_to_end(self) -> None:
        """Send SIGTERM to the process alone, as systemd or Kubernetes would, and return at once."""
        if self._process is not None and self.alive:
            self._process.terminate()

    def end(self, grace: float) -> None:
        """Send SIGTERM, wait up to ``grace`` seconds, and SIGKILL what is left of its session."""
        self.ask_to_end()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        self.kill()

    def kill(self, *, session: bool = True) -> None:
        """SIGKILL the process, and whatever else came of its starts unless ``session`` is False."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait(SIGKILL_SECONDS)
        if session:
            kill_all(self.session())

    def session(self) -> list[psutil.Process]:
        """Every living process that came of its starts: with LocalExecutor, workers and tasks too."""
        living = self.pid if self.alive else None
        # The system gives a session's id to a stranger only once the session is empty.
        ours = {leader for leader in self._sessions if leader == living or not psutil.pid_exists(leader)}
        return [process for process in own_processes() if session_of(process) in ours]

    def has_said(self, text: str) -> bool:
        """Whether its log holds ``text`` since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._told)
            return text.encode() in log.read()

    def tail(self) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

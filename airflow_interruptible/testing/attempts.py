# SPDX-License-Identifier: Apache-2.0
"""The attempts of task instances of a stack, as ``airflow interruptible attempts`` prints them.

Run as a module it is the process that reads them: it needs the stack's environment. Imported, it starts that process
and keeps it, for each start of Airflow takes seconds. What is read and how it is printed is the command's own code.
"""

from __future__ import annotations

import json
import logging
import select
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, cast

from airflow_interruptible.testing.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from airflow_interruptible.testing.stack import AirflowStack

log = logging.getLogger(__name__)

Key = tuple[str, str, str, int]
"""A task instance: Dag id, task id, run id, map index."""


@dataclass(frozen=True)
class Printed:
    """What the command prints about one task instance, in both of its forms."""

    attempts: Sequence[dict[str, Any]]
    text: str


def read(stack: AirflowStack, keys: Mapping[str, Key]) -> dict[str, Printed]:
    """Read the attempts of some task instances once, each under the name it has in ``keys``.

    :raises LabError: they cannot be read.
    """
    with closing(AttemptsReader(stack)) as reader:
        return reader.read(keys)


class AttemptsReader:
    """Reads attempts as often as it is asked, in a process of its own. Threads may share it.

    :param stack: whose; the process starts with the first question.
    :param timeout: seconds an answer may take. Only a failure takes that long.
    """

    def __init__(self, stack: AirflowStack, timeout: float = 240.0) -> None:
        self._stack = stack
        self._timeout = timeout
        self._turn = Lock()
        self._process: subprocess.Popen[str] | None = None

    def read(self, keys: Mapping[str, Key]) -> dict[str, Printed]:
        """Read the attempts of some task instances, each under the name it has in ``keys``.

        :raises LabError: they cannot be read.
        """
        with self._turn:
            answer = self._ask(json.dumps(dict(keys)))
        if "error" in answer:
            raise LabError(f"the attempts cannot be read: {answer['error']}")
        return {name: Printed(**printed) for name, printed in answer["printed"].items()}

    def close(self) -> None:
        """End the process. Harmless when there is none."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ask(self, question: str) -> dict[str, Any]:
        process = self._process or self._start()
        questions, answers = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        try:
            print(question, file=questions, flush=True)
            answered, _, _ = select.select([answers], [], [], self._timeout)
            answer: dict[str, Any] = json.loads(answers.readline()) if answered else {}
        except (OSError, ValueError):  # it ended, or wrote half a line
            answer = {}
        if answer:
            return answer
        self.close()
        return {"error": f"no answer within {self._timeout:.0f} s, see {self._log}"}

    @property
    def _log(self) -> Path:
        return self._stack.home / "attempts.log"

    def _start(self) -> subprocess.Popen[str]:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                env=self._stack.env,
                cwd=self._stack.home,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self._process


def main() -> None:
    """Answer every line of keys with a line: what is printed about them, or why it cannot be read."""
    answers, sys.stdout = sys.stdout, sys.stderr  # where Airflow's logs go
    for question in sys.stdin:
        try:
            answer: dict[str, Any] = {"printed": _print({name: (*key,) for name, key in json.loads(question).items()})}
        except Exception as error:
            log.exception("The attempts cannot be read.")
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def _print(keys: Mapping[str, Key]) -> dict[str, dict[str, Any]]:
    from airflow.utils.session import create_session

    from airflow_interruptible.attempts import Story, tell
    from airflow_interruptible.cli.attempts import as_text
    from airflow_interruptible.server import tries

    with create_session() as session:
        known = {name: tries.read(session, key) for name, key in keys.items()}
        stories = {
            name: tell(found) if found else Story(None, live=False, attempts=()) for name, found in known.items()
        }
    return {
        name: {"attempts": [each.to_json() for each in told.attempts], "text": as_text(told)}
        for name, told in stories.items()
    }


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""The attempts of several task instances of a stack, as ``airflow interruptible attempts`` prints them.

Run as a module it is that process: it needs the stack's environment, and each start of Airflow takes seconds. Imported,
it starts it. What is read and how it is printed is the command's own code.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_interruptible.testing.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_interruptible.testing.stack import AirflowStack


Key = tuple[str, str, str, int]
"""A task instance: Dag id, task id, run id, map index."""


@dataclass(frozen=True)
class Printed:
    """What the command prints about one task instance, in both of its forms."""

    attempts: Sequence[dict[str, Any]]
    text: str


def read(stack: AirflowStack, keys: Mapping[str, Key]) -> dict[str, Printed]:
    """Read the attempts of some task instances, each under the name it has in ``keys``.

    :raises LabError: they cannot be read.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(dict(keys))],
        env=stack.env,
        cwd=stack.home,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"the attempts cannot be read:\n{done.stdout}{done.stderr}")
    return {name: Printed(**printed) for name, printed in json.loads(done.stdout.splitlines()[-1]).items()}


def main(keys: Mapping[str, Key]) -> None:
    """Print the attempts of some task instances as one line of JSON."""
    from airflow.utils.session import create_session

    from airflow_interruptible.attempts import Story, tell
    from airflow_interruptible.cli.attempts import as_text
    from airflow_interruptible.server import tries

    with create_session() as session:
        known = {name: tries.read(session, key) for name, key in keys.items()}
        stories = {
            name: tell(found) if found else Story(None, live=False, attempts=()) for name, found in known.items()
        }
    printed = {
        name: {"attempts": [each.to_json() for each in told.attempts], "text": as_text(told)}
        for name, told in stories.items()
    }
    print(json.dumps(printed))


if __name__ == "__main__":
    main({name: (*key,) for name, key in json.loads(sys.argv[1]).items()})

# SPDX-License-Identifier: Apache-2.0
"""Five hundred attempts that fall silent at once: what the scheduler asks, how long it takes, what its loop notices."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_interruptible.testing.configuration import StackSettings, stack_environment
from benchmarks.ec2 import Ec2
from benchmarks.section import Section, Table, typical
from tests.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.section import Say

SIZE = 500
ROUNDS = 20
_DAG = Path(__file__).parent / "dags_state_update" / "interruptible.py"
_ROOT = Path(__file__).parent.parent
_TOLD = 4000
_METHOD = f"""
{SIZE} attempts on as many EC2 instances, in one run on PostgreSQL, whose last heartbeats are 20 s old. One look for all
of them, in a thread beside the loop that schedules in the same process (`_do_scheduling`, {ROUNDS} times alone), as in
a scheduler: every instance terminated, and nobody who answers. Load on the clock is part of the times.
"""
_NOTES = (
    """
    The calls are DescribeInstances, 200 instances each. An attempt that is found gone is dated back in the database;
    Airflow's own sweep ends it then, within 10 s.
    """,
    """
    The loop waits for nothing. What it notices is the work of the look in the same interpreter, above all the first
    import of boto3, once in a scheduler's life.
    """,
)


def measure(say: Say) -> Section:
    """Look for the attempts, once where all of them are gone, and once where nobody answers."""
    rows = []
    machines = {f"i-{number:017x}": False for number in range(SIZE)}
    with Ec2(machines) as ec2:
        gone = _probe(ec2.url)
        rows.append(["all instances terminated", str(len(ec2.asked)), *_cells(gone)])
        say(f"{gone['ended']} ended in {gone['look']:.1f} s")
    with _silence() as url:
        away = _probe(url)
        rows.append(["nobody answers", "1", *_cells(away)])
        say(f"{away['ended']} ended in {away['look']:.1f} s")
    columns = ["", "calls", "found gone", "the look, s", "a scheduling loop alone, ms", "beside the look, ms"]
    return Section("Five hundred attempts that fall silent at once", _METHOD, [Table(columns, rows)], _NOTES)


def _cells(taken: dict[str, Any]) -> list[str]:
    loops = [typical([1000 * seconds for seconds in taken[name]], ".0f") for name in ("alone", "beside")]
    return [f"{taken['ended']} of {SIZE}", f"{taken['look']:.1f}", *loops]


@contextmanager
def _silence() -> Iterator[str]:
    """An address that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _probe(url: str) -> dict[str, Any]:
    with postgres() as database, tempfile.TemporaryDirectory(prefix="bench-late-") as directory:
        home = Path(directory)
        env = {
            "AWS_ENDPOINT_URL_EC2": url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
            "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        }  # fmt: skip
        settings = StackSettings(
            home, _DAG.parent, api_port=0, worker_log_port=0, triggerer_log_port=0, sql_alchemy_conn=database, env=env,
            config={"scheduler": {"task_instance_heartbeat_timeout": 300}},
        )  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.probes.late", _DAG, "interruptible", str(SIZE), str(ROUNDS)],
            env=stack_environment(settings, os.environ), cwd=_ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the probe failed:\n{done.stdout[-_TOLD:]}{done.stderr[-_TOLD:]}")
    taken: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return taken

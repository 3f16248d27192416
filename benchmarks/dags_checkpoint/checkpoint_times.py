# SPDX-License-Identifier: Apache-2.0
"""A task that returns how long each save and load of a checkpoint takes, and the nearest thing without us."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from airflow.sdk import Param, dag, get_current_context, task

from airflow_interruptible import checkpoint

VALUES = {"64 B": 64, "60 KB": 60_000}
FILES = {"1 MB": 1_000_000, "100 MB": 100_000_000}


@dag(schedule=None, params={"rounds": Param(20, type="integer")})
def checkpoint_times():
    """One task."""

    @task
    def measure(params):
        """Return the seconds by what was done: write and read, ours and the baseline's, in turn."""
        taken = {}
        for _ in range(params["rounds"]):
            for name, size in VALUES.items():
                value(taken, name, "x" * size)
        for _ in range(max(3, params["rounds"] // 4)):
            for name, size in FILES.items():
                file(taken, name, bytes(size))
        return taken

    measure()


def value(taken, name, content):
    """Save and load a value, by us and by the task state store alone."""
    progress, store = checkpoint(), get_current_context()["task_state_store"]
    timed(taken, f"value, {name}|write", lambda: progress.save(content))
    timed(taken, f"value, {name}|read", progress.load)
    timed(taken, f"value, {name}|write alone", lambda: store.set("baseline", content))
    timed(taken, f"value, {name}|read alone", lambda: store.get("baseline"))


def file(taken, name, content):
    """Save and load a file, by us and by a plain write and read."""
    timed(taken, f"file, {name}|write", lambda: save_file(content))
    timed(taken, f"file, {name}|read", load_file)
    with TemporaryDirectory() as folder:
        plain = Path(folder, "model")
        timed(taken, f"file, {name}|write alone", lambda: plain.write_bytes(content))
        timed(taken, f"file, {name}|read alone", plain.read_bytes)


def save_file(content):
    """Save one file."""
    with checkpoint().save_files() as folder:
        (folder / "model").write_bytes(content)


def load_file():
    """Load it."""
    with checkpoint().load_files() as folder:
        (folder / "model").read_bytes()


def timed(taken, what, call):
    """Take the time of one call."""
    began = time.perf_counter()
    call()
    taken.setdefault(what, []).append(time.perf_counter() - began)


checkpoint_times()

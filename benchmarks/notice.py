# SPDX-License-Identifier: Apache-2.0
"""From a cloud's notice to the author's callback, to the end of the attempt, to the next one; and what time is left."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_interruptible.testing import SpotLab
from airflow_interruptible.testing.metadata import FakeEC2Metadata
from airflow_interruptible.testing.polling import wait_until
from benchmarks.section import Section, Table, typical

if TYPE_CHECKING:
    from benchmarks.section import Say

REPEATS = 5
AHEAD = 30
"""Seconds between the notice and the end of the machine: what Google grants, and less than Amazon does."""

CALLBACKS = ("returns at once", "raises", "hangs")
_DAGS = Path(__file__).parent / "dags_notice"
_PATIENCE = 300.0

_METHOD = f"""
A real stack (SQLite, LocalExecutor, default settings), a task that listens to the fake metadata service of EC2, which
announces the end of the machine {AHEAD} s ahead. `retry_delay` is 300 s. Seconds, medians of {REPEATS} (lowest to
highest).
"""
_NOTES = (
    "The service is asked every 5 s, which is most of the time from the notice to the callback.",
    "A callback that hangs is left 8 s before the machine goes. Plain Airflow hears no notice: there is no other side.",
)


def measure(say: Say) -> Section:
    """Announce the end of a machine, again and again."""
    seconds: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    with FakeEC2Metadata() as cloud, tempfile.TemporaryDirectory() as folder:
        config = {"interruptible": {"notices": True}}
        with SpotLab(_DAGS, env=cloud.env, config=config, timeout=_PATIENCE) as lab:
            for number in range(REPEATS):
                for callback in CALLBACKS:
                    say(f"the callback {callback}")
                    seconds[callback].append(_play(lab, cloud, callback, Path(folder, f"{number}-{callback}")))
    rows = [[name, *(typical(column) for column in zip(*plays, strict=True))] for name, plays in seconds.items()]
    columns = ["The callback", "notice to callback", "callback to end", "end to next attempt", "left of the machine"]
    return Section("From a notice to the next attempt", _METHOD, [Table(columns, rows)], _NOTES)


def _play(lab: SpotLab, cloud: FakeEC2Metadata, callback: str, file: Path) -> tuple[float, ...]:
    run = lab.trigger("announced", conf={"file": str(file), "callback": callback.partition(" ")[0]})
    lab.wait_until_running(run, "work")
    wait_until(
        lambda: lab.client.logs(run, "work", 1),
        lambda log: "at work" in log,
        what="the task to be at work",
        timeout=_PATIENCE,
    )
    announced = datetime.now(timezone.utc)
    cloud.interrupt(in_seconds=AHEAD)
    wait_until(file.exists, bool, what="the author to be told", timeout=_PATIENCE)
    cloud.clear()
    lab.client.wait_for_run(run, timeout=_PATIENCE)
    told = json.loads(file.read_text())
    at, deadline = datetime.fromisoformat(told["at"]), datetime.fromisoformat(told["deadline"])
    first, second = lab.client.tries(run, "work")
    if first.end_date is None or second.start_date is None:
        raise RuntimeError(f"{run.run_id} did not run twice: {first}, {second}")
    spans = (at - announced, first.end_date - at, second.start_date - first.end_date, deadline - first.end_date)
    return tuple(span.total_seconds() for span in spans)

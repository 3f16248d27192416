# SPDX-License-Identifier: Apache-2.0
"""What it costs a task to write a checkpoint and to read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_interruptible.testing import SpotLab
from benchmarks.section import Section, Table, typical

if TYPE_CHECKING:
    from benchmarks.section import Say

ROUNDS = 20
_DAGS = Path(__file__).parent / "dags_checkpoint"
_DAG_ID = "checkpoint_times"
_COLUMNS = ("write", "write alone", "read", "read alone")

_METHOD = f"""
Inside one task on a real stack (SQLite, LocalExecutor), medians of {ROUNDS} rounds for values and {ROUNDS // 4} for
files (lowest to highest). Alone is the nearest thing without this package, which promises less: `task_state_store.set`
and `get` for a value, one write and one read in a local directory for a file.
"""
_NOTES = (
    "A save reads the task state store before it writes, to know what it replaces.",
    "A file is written locally, then copied to `checkpoint_path`, a local directory here; a bucket adds its own time.",
)


def measure(say: Say) -> Section:
    """Run the task that takes the times."""
    with SpotLab(_DAGS, timeout=300) as lab:
        run = lab.trigger(_DAG_ID, conf={"rounds": ROUNDS})
        say("the task runs")
        lab.client.wait_for_run(run, timeout=300)
        path = f"/dags/{_DAG_ID}/dagRuns/{run.run_id}/taskInstances/measure/xcomEntries/return_value"
        taken: dict[str, list[float]] = lab.client.request("GET", path, params={"deserialize": True})["value"]
    whats = list(dict.fromkeys(key.partition("|")[0] for key in taken))
    rows = [[what, *(typical([1000 * each for each in taken[f"{what}|{how}"]]) for how in _COLUMNS)] for what in whats]
    columns = ["Checkpoint", *(f"{how}, ms" for how in _COLUMNS)]
    return Section(title="Checkpoints", method=_METHOD, tables=[Table(columns, rows)], notes=_NOTES)

# SPDX-License-Identifier: Apache-2.0
"""What an interruptible task costs at its start: reading its history and writing down that it has begun."""

from __future__ import annotations

from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from airflow_interruptible.testing import SpotLab
from benchmarks.section import Section, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.section import Say

ROUNDS = 30
WARM_UP = 2
_DAGS = Path(__file__).parent / "dags_start"
_DAG_IDS = ("start_plain", "start_interruptible")

_METHOD = f"""
From the start that Airflow records, when the supervisor has forked the task process, to the first line of the
author's code; the import of the Dag file is part of it. {ROUNDS} tasks each, in turn, alone on the stack.
"""
_NOTE = """
This package is installed on both sides. Before its first line, an interruptible task makes two requests to the API
server: it reads its history, and writes down that it has begun.
"""


def measure(say: Say) -> Section:
    """Run both Dags in turn, one task at a time."""
    taken: dict[str, list[float]] = {dag_id: [] for dag_id in _DAG_IDS}
    with SpotLab(_DAGS, timeout=300) as lab:
        for number in range(ROUNDS + WARM_UP):
            for dag_id in _DAG_IDS:
                seconds = _start(lab, dag_id)
                if number >= WARM_UP:
                    taken[dag_id].append(seconds)
            if number % 10 == WARM_UP:
                say(f"round {number - WARM_UP + 1} of {ROUNDS}")
    plain, ours = taken.values()
    more = [after - before for before, after in zip(plain, ours, strict=True)]
    rows = [
        ["plain `@task`", *_cells(plain)],
        ["`@task.interruptible`", *_cells(ours)],
        ["more, in pairs", *_cells(more)],
    ]
    return Section(
        title="Start of a task",
        method=_METHOD,
        tables=[Table(["", "median, ms", "quartiles, ms", "fastest, ms"], rows)],
        notes=(_NOTE,),
    )


def _start(lab: SpotLab, dag_id: str) -> float:
    run = lab.trigger(dag_id)
    lab.client.wait_for_run(run)
    path = f"/dags/{dag_id}/dagRuns/{run.run_id}/taskInstances/first_line/xcomEntries/return_value"
    return float(lab.client.request("GET", path)["value"])


def _cells(seconds: Sequence[float]) -> list[str]:
    low, _, high = quantiles(seconds, n=4)
    return [f"{1000 * median(seconds):.0f}", f"{1000 * low:.0f} to {1000 * high:.0f}", f"{1000 * min(seconds):.0f}"]

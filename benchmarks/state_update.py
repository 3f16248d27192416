# SPDX-License-Identifier: Apache-2.0
"""What our listener in the API server costs when a task's state is updated: SQL statements and CPU time."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.plain import Pythons
from benchmarks.section import Section, Table, typical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.section import Say

ROUNDS = 3
UPDATES = 100
STATES = ("success", "failed", "up_for_retry")
_DAGS = Path(__file__).parent / "dags_state_update"
_METHOD = f"""
`ti_update_state`, the function behind a worker's report, called in process on a SQLite database, the commit included.
The statements of plain Airflow are counted in a process that has no trace of this package. The times are medians of
{ROUNDS * UPDATES} calls each (lowest to highest), our listener switched off and on in turn.
"""
_NOTE = "For an interruptible task the next attempt is placed in the same transaction, and written down."

Sample = tuple[int, float]
"""Statements and CPU seconds of one update."""

Taken = dict[str, list[Sample]]
"""The samples by the state, and whether our listener was on: ``failed off``."""


def measure(say: Say) -> Section:
    """Update states without this package, and with its listener switched off and on in turn."""
    plain, with_us, interruptible = _probe("plain", False), _probe("plain", True), _probe("interruptible", True)
    for number in range(1, ROUNDS):
        say(f"round {number} of {ROUNDS} done")
        for taken, more in ((with_us, _probe("plain", True)), (interruptible, _probe("interruptible", True))):
            for name, samples in more.items():
                taken[name] += samples
    rows = [
        ["not interruptible", f"`{state}`", _statements(plain[f"{state} off"]), *_cells(with_us, state)]
        for state in STATES
    ]
    rows += [["interruptible", f"`{state}`", "-", *_cells(interruptible, state)] for state in STATES]
    columns = ["Task", "updated to", "statements, plain Airflow", "with us", "CPU ms, listener off", "listener on"]
    return Section(
        title="State update in the API server",
        method=_METHOD,
        tables=[Table(columns, rows)],
        notes=(_NOTE,),
    )


def _probe(dag_id: str, ours: bool) -> Taken:
    with tempfile.TemporaryDirectory(prefix="bench-state-") as directory:
        arguments = (str(_DAGS / f"{dag_id}.py"), dag_id, str(UPDATES))
        taken: Taken = Pythons(Path(directory)).probe("state_update", *arguments, ours=ours)["updates"]
    return taken


def _cells(taken: Taken, state: str) -> list[str]:
    off, on = taken[f"{state} off"], taken[f"{state} on"]
    return [_statements(on), *(typical([1000 * seconds for _, seconds in samples], ".2f") for samples in (off, on))]


def _statements(samples: Sequence[Sample]) -> str:
    return " or ".join(map(str, sorted({count for count, _ in samples})))

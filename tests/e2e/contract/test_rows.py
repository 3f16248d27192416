"""Every row of the table in DESIGN 2.3, on a real stack, with machines really taken away."""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from e2e.contract.play import Kill, Played, play

if TYPE_CHECKING:
    from airflow_interruptible.testing import SpotLab

pytestmark = pytest.mark.e2e

SPOT, DEMAND = "spot", "on-demand"


@dataclass(frozen=True)
class RowOfTheTable:
    retries: int
    system_retries: int
    endings: str
    kills: tuple[Kill, ...]
    capacities: list[str]
    charges: list[str]
    final: str

    def __str__(self) -> str:
        return f"u{self.retries}_s{self.system_retries}-{self.endings.replace(' ', '')}-{self.kills[0]}"


ROWS = [
    RowOfTheTable(0, 3, "ok", ("grace",), [DEMAND], ["none"], "success"),
    RowOfTheTable(0, 3, "I ok", ("grace",), [DEMAND, DEMAND], ["system", "none"], "success"),
    RowOfTheTable(2, 3, "A A A", ("grace",), [SPOT, SPOT, DEMAND], ["user", "user", "user"], "failed"),
    RowOfTheTable(2, 3, "I I ok", ("process", "machine"), [SPOT] * 3, ["system", "system", "none"], "success"),
    RowOfTheTable(
        2,
        3,
        "I I I I A A",
        ("grace", "machine", "process", "grace"),
        [SPOT] * 3 + [DEMAND] * 3,
        ["system"] * 3 + ["user"] * 3,
        "failed",
    ),
    RowOfTheTable(
        1,
        3,
        "I A I ok",
        ("early", "grace"),
        [SPOT, SPOT, DEMAND, DEMAND],
        ["system", "user", "system", "none"],
        "success",
    ),
    RowOfTheTable(2, 0, "I I I", ("grace", "process", "grace"), [SPOT, SPOT, DEMAND], ["user"] * 3, "failed"),
    RowOfTheTable(2, 3, "I I I ok", ("grace",), [SPOT] * 3 + [DEMAND], ["system"] * 3 + ["none"], "success"),
]


@pytest.fixture(scope="module")
def played(lab: SpotLab) -> dict[str, Future[Played]]:
    """All rows at once: they have nothing to do with one another."""
    with ThreadPoolExecutor(len(ROWS)) as pool:
        return {
            str(row): pool.submit(play, lab, f"u{row.retries}_s{row.system_retries}", row.endings.split(), row.kills)
            for row in ROWS
        }


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_row(row: RowOfTheTable, played: dict[str, Future[Played]]) -> None:
    """Airflow's REST API and our command line agree with the table."""
    result = played[str(row)].result()
    assert result.run.state == row.final, result.column("reason")
    assert result.column("capacity") == row.capacities
    assert result.rest_capacities == row.capacities
    assert result.column("charge") == row.charges


def test_interruptions_leave_the_users_retries_alone(played: dict[str, Future[Played]]) -> None:
    """Interrupted three times at random moments, both retries are still there; the last attempt runs on demand."""
    last = played["u2_s3-IIIok-grace"].result().attempts[-1]
    assert last["user_retries_left"] == 2
    assert last["system_retries_left"] == 0
    assert last["capacity"] == DEMAND


def test_a_killed_process_names_its_cause(played: dict[str, Future[Played]]) -> None:
    """Silence on spot is presumed to be an interruption, and says that it is; if its end was proved, then that."""
    result = played["u2_s3-IIok-process"].result()
    assert result.column("cause") == ["spot_interruption", "spot_interruption", None]
    said = re.compile("nobody reported its end|was gone [0-9]+ s after the last heartbeat")
    assert all(said.search(attempt["reason"]) for attempt in result.attempts[:2]), result.column("reason")

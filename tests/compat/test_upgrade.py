# SPDX-License-Identifier: Apache-2.0
"""A database that is upgraded in the middle of runs keeps both budgets, and every attempt keeps its story."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from compat.before_upgrade import DAGS, pause
from e2e.contract.play import TASK, attempts, rest_capacities
from waiting import UNHURRIED

from airflow_interruptible.core.witness import TAKEN_AWAY
from airflow_interruptible.testing import DagRun, SpotLab

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD = os.environ.get("COMPAT_UPGRADE_FROM")
pytestmark = pytest.mark.skipif(OLD is None, reason="COMPAT_UPGRADE_FROM names no Python with an older Airflow")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpotLab]:
    """This Airflow on the database of the older one: its ``db migrate`` is what ``up`` does first."""
    home = tmp_path_factory.mktemp("upgraded")
    seed = Path(__file__).with_name("before_upgrade.py")
    subprocess.run([str(OLD), str(seed), str(home)], check=True)
    config = {"scheduler": UNHURRIED, "interruptible": {"system_retry_delay": 0.5}}
    with SpotLab(DAGS, home=home, config=config) as running:
        yield running


def finish(lab: SpotLab, dag_id: str, run_id: str) -> DagRun:
    """Let a run go on to its end."""
    run = DagRun(dag_id, run_id, "running", {})
    pause(lab, dag_id, paused=False)
    return lab.client.wait_for_run(run)


def column(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_an_attempt_to_come_goes_on_with_what_is_left(lab: SpotLab) -> None:
    run = finish(lab, "u2_s3", "pending")
    assert run.state == "success"
    told = attempts(lab, run)
    assert column(told, "attempt", "charge", "user_retries_left", "system_retries_left") == [
        (1, "system", 2, 2),
        (2, "system", 2, 1),
        (3, "none", 2, 1),
    ]
    assert rest_capacities(lab, run) == ["spot"] * 3


def test_an_attempt_that_ran_meanwhile_is_forgiven(lab: SpotLab) -> None:
    """The new scheduler resets the orphan of the old one: the platform lost it."""
    run = finish(lab, "u1_s3", "lost")
    assert run.state == "success"
    told = attempts(lab, run)
    assert column(told, "attempt", "cause", "charge", "system_retries_left") == [
        (1, "spot_interruption", "system", 2),
        (2, "infrastructure", "system", 1),
        (3, None, "none", 1),
    ]


def test_each_mapped_instance_keeps_its_own(lab: SpotLab) -> None:
    run = finish(lab, "mapped", "mapped")
    assert run.state == "success"
    counts = [len(attempts(lab, run, map_index=index)) for index in (0, 1, 2)]
    assert counts == [1, 2, 1]
    told = attempts(lab, run, map_index=1)
    assert column(told, "charge", "user_retries_left", "system_retries_left") == [("system", 2, 2), ("none", 2, 2)]


def test_a_clear_starts_afresh_what_was_spent_before(lab: SpotLab) -> None:
    """Airflow 3.4 clears the ledger with the task: of the attempts before, only its own rows tell."""
    run = DagRun("u2_s0", "spent", "failed", {})
    before = attempts(lab, run)
    assert column(before, "capacity", "charge") == [("spot", "user"), ("spot", "user"), ("on-demand", "user")]
    lab.client.clear(run, TASK)
    run = lab.client.wait_for_run(run)
    told = attempts(lab, run)
    assert column(told[:3], "attempt", "capacity", "charge") == column(before, "attempt", "capacity", "charge")
    assert told[2]["reason"] == TAKEN_AWAY, "the last failure of a task is asked of no retry policy"
    assert column(told[3:], "attempt", "capacity", "state", "user_retries_left") == [(4, "spot", "success", 2)]


def test_the_report_knows_what_was_before(lab: SpotLab) -> None:
    totals = json.loads(lab.stack.run("interruptible", "report", "--output", "json"))["totals"]
    assert totals["interruptions"] >= 4

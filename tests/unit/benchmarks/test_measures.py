# SPDX-License-Identifier: Apache-2.0
"""Every measure is there, and plain Airflow is judged with the settings that Airflow's own documentation gives."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import MEASURES, lost
from benchmarks.parse import LAUNCHING, VARIANTS
from benchmarks.recovery import AIRFLOW_DEFAULTS, CASES, GRACEFUL, MACHINE, OURS, PROCESS, Play, _section
from benchmarks.recovery import VARIANTS as SIDES


def airflow_says(section: str, key: str) -> str:
    airflow = find_spec("airflow")
    assert airflow is not None
    assert airflow.origin is not None
    known = yaml.safe_load((Path(airflow.origin).parent / "config_templates" / "config.yml").read_text())
    return str(known[section]["options"][key]["default"])


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [(section, key, value) for section, options in AIRFLOW_DEFAULTS.items() for key, value in options.items()],
)
def test_recovery_is_measured_with_airflow_s_defaults(section: str, key: str, value: Any) -> None:
    assert float(airflow_says(section, key)) == float(value)


def test_what_recovery_says_of_retry_delay_is_airflow_s_default() -> None:
    assert airflow_says("core", "default_task_retry_delay") == "300"


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_can_be_taken(name: str) -> None:
    assert callable(import_module(MEASURES[name]).measure)


@pytest.mark.parametrize("variant", [*VARIANTS, *LAUNCHING], ids=lambda variant: variant.name)
def test_the_dags_to_parse_are_python(variant: Any) -> None:
    ast.parse(variant.dag())


def test_only_a_dag_that_says_so_is_interruptible() -> None:
    assert [variant.ours for variant in VARIANTS if "interruptible" not in variant.dag()] == [False, True]


def plays() -> list[Play]:
    return [
        Play(
            case,
            side,
            run=None,  # type: ignore[arg-type]  # a table needs no run
            waits=[2.0 if side is OURS else 600.0],
            outcome=["failed", "2 of 2", "spot, spot", "success"],
        )
        for case in CASES
        for side in case.variants
    ]


def test_the_times_are_told_against_plain_airflow() -> None:
    times = _section(plays()).tables[0]
    assert [row[0] for row in times.rows] == [case.title for case in (GRACEFUL, PROCESS, MACHINE)]
    assert all(row[1:] == ["600.0", "600.0", "2.0", "300 x"] for row in times.rows)


def test_every_case_tells_what_it_cost_each_side() -> None:
    outcomes = _section(plays()).tables[1]
    assert len(outcomes.rows) == sum(len(case.variants) for case in CASES)
    assert {row[1] for row in outcomes.rows} == {side.title for side in SIDES}


def test_a_lost_machine_is_told_for_every_executor() -> None:
    """Against plain Airflow, or where that takes longest, against the one that retries at once."""
    told = [
        lost.Play(place, side, None, wait=20.0 if side is OURS else 300.0, reason="gone")  # type: ignore[arg-type]
        for place, sides in lost.PLAYED.items()
        for side in sides
    ]
    times, reasons = lost._tables(told)
    assert [row[1:] for row in times.rows] == [
        ["300.0", "300.0", "20.0", "15 x"],
        ["300.0", "300.0", "20.0", "15 x"],
        ["-", "300.0", "20.0", "15 x"],
    ]
    assert [row[1] for row in reasons.rows] == ["gone"] * 3

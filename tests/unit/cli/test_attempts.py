# SPDX-License-Identifier: Apache-2.0
"""The table that ``airflow interruptible attempts`` prints. Reading the database is tested where there is one."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
import yaml

from airflow_interruptible.attempts import AttemptView, Story
from airflow_interruptible.cli import attempts, main
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.summary import summary

START = datetime(2026, 1, 1, 12, 30, tzinfo=timezone.utc)
VIEWS = [
    AttemptView(
        attempt=1,
        state="failed",
        capacity=CapacityType.SPOT,
        cause=Cause.SPOT_INTERRUPTION,
        charge=Charge.SYSTEM,
        reason="attempt 1 on spot interrupted",
        start=START,
        end=START + timedelta(seconds=90),
        user_retries_left=2,
        system_retries_left=1,
        host="node-1",
    ),
    AttemptView(2, None, None, None, None, None, None, None, None, None),
]


def test_the_table_is_for_people() -> None:
    lines = attempts.table(VIEWS).splitlines()
    assert lines[0].split() == list(attempts._COLUMNS)
    assert " ".join(lines[2].split()) == "1 failed spot spot_interruption system 12:30:00 90.0 2 user, 1 system node-1"
    assert lines[3].split() == ["2", *["-"] * 8]
    assert lines[-1] == "  1  attempt 1 on spot interrupted"


def test_no_attempts_is_an_empty_table() -> None:
    assert "attempt" in attempts.table([])


@pytest.mark.parametrize("output", ["json", "table", "yaml", "plain"])
def test_both_outputs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: str) -> None:
    asked: list[tuple[str, str, str, int]] = []

    def story(key: tuple[str, str, str, int]) -> Story:
        asked.append(key)
        return Story("running", True, VIEWS)

    monkeypatch.setattr(attempts, "story", story)
    main(["attempts", "dag", "run", "task", "--map-index", "4", "--output", output])
    printed = capsys.readouterr().out
    assert asked == [("dag", "task", "run", 4)]
    if output == "json":
        assert json.loads(printed) == [view.to_json() for view in VIEWS]
    elif output == "yaml":
        assert yaml.safe_load(printed) == [view.to_json() for view in VIEWS]
    elif output == "plain":
        assert printed == f"{attempts.rows(VIEWS, 'plain')}\n"
    else:
        assert printed == f"{summary(Story('running', True, VIEWS))}\n\n{attempts.table(VIEWS)}\n"


def test_a_host_is_never_taken_for_a_number() -> None:
    assert attempts.table([replace(VIEWS[0], host="123456789e12")]).splitlines()[2].endswith("  123456789e12")


def test_a_task_that_is_not_mapped_needs_no_index() -> None:
    parser = argparse.ArgumentParser()
    attempts.add_arguments(parser)
    args = parser.parse_args(["dag", "run", "task"])
    assert (args.map_index, args.output) == (-1, "table")


def test_a_capacity_that_nobody_saw_to_stands_in_brackets() -> None:
    lines = attempts.table([replace(VIEWS[0], placed=False), VIEWS[1]]).splitlines()
    assert lines[2].split()[2] == "(spot)"
    assert attempts._UNPLACED in lines
    assert attempts._UNPLACED not in attempts.table(VIEWS)

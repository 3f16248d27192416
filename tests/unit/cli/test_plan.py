# SPDX-License-Identifier: Apache-2.0
"""``airflow interruptible plan``: the machine form that outside checks use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_interruptible.cli import main


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> Any:
        main(["plan", *arguments])
        return json.loads(capsys.readouterr().out)

    return run


def test_the_answer(plan: Any) -> None:
    assert plan("--retries", "1", "--system-retries", "3", "--outcomes", "interruption,application,success") == {
        "attempts": [
            {"attempt": 1, "capacity": "spot", "charge": "system"},
            {"attempt": 2, "capacity": "spot", "charge": "user"},
            {"attempt": 3, "capacity": "on-demand", "charge": "none"},
        ],
        "final": "success",
        "next_capacity": None,
    }


def test_a_task_that_is_not_interruptible(plan: Any) -> None:
    answer = plan("--retries", "1", "--not-interruptible", "--outcomes", "infrastructure")
    assert answer["attempts"] == [{"attempt": 1, "capacity": "on-demand", "charge": "system"}]
    assert (answer["final"], answer["next_capacity"]) == ("running", "on-demand")


def test_system_retries_default_to_three(plan: Any) -> None:
    answer = plan("--retries", "0", "--outcomes", ",".join(["interruption"] * 5))
    assert [attempt["charge"] for attempt in answer["attempts"]] == ["system"] * 3 + ["user"]
    assert answer["final"] == "failed"


@pytest.mark.parametrize("outcomes", ["", ",", " "])
def test_no_outcomes_is_the_state_before_the_first_attempt(plan: Any, outcomes: str) -> None:
    assert plan("--retries", "1", "--outcomes", outcomes) == {
        "attempts": [],
        "final": "running",
        "next_capacity": "spot",
    }


def test_blanks_do_not_matter(plan: Any) -> None:
    assert plan("--retries", "1", "--outcomes", " interruption , success ")["final"] == "success"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--retries", "-1", "--outcomes", "success"], "--retries"),
        (["--retries", "x", "--outcomes", "success"], "must be a whole number >= 0, got 'x'"),
        (["--retries", "1", "--outcomes", "explosion"], "Known outcomes: interruption, infrastructure"),
        (["--retries", "1"], "--outcomes"),
        (["--outcomes", "success"], "--retries"),
    ],
)
def test_wrong_usage_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", *arguments])
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_other_forms_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["plan", "--retries", "1", "--outcomes", "interruption"]
    main([*asked, "-o", "table"])
    table = capsys.readouterr().out.splitlines()
    assert [line.split() for line in table[::2][:2]] == [["attempt", "capacity", "charge"], ["1", "spot", "system"]]
    assert table[-1] == "running; the next attempt would run on spot"
    main([*asked, "-o", "plain"])
    assert capsys.readouterr().out.splitlines()[1].split() == ["1", "spot", "system"]
    main([*asked, "-o", "yaml"])
    assert "- attempt: 1\n  capacity: spot\n" in capsys.readouterr().out

# SPDX-License-Identifier: Apache-2.0
"""What a person is told of an attempt that is over."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from airflow_interruptible.attempts import AttemptView, Story
from airflow_interruptible.cli import attempts
from airflow_interruptible.cli.explain import add_arguments, run
from airflow_interruptible.cli.finished_attempt import render
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge

if TYPE_CHECKING:
    from collections.abc import Callable


def failed(number: int, cause: Cause, rule: str | None = None) -> AttemptView:
    return AttemptView(
        number, "failed", CapacityType.SPOT, cause, cause.charge, f"reason {number}", None, None, 2, 2, rule=rule
    )


RUNNING = AttemptView(3, "running", CapacityType.SPOT, None, None, None, None, None, 1, 2)


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    views = [failed(1, Cause.SPOT_INTERRUPTION, "ecs/spot-stop-code"), failed(2, Cause.APPLICATION), RUNNING]
    told = {("dag", "task", "run", -1): Story("running", live=True, attempts=views)}
    monkeypatch.setattr(attempts, "story", told.__getitem__)

    def explain(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        run(parser.parse_args(["--attempt", "dag", "run", "task", *arguments]))
        return capsys.readouterr().out

    return explain


def test_the_last_failed_attempt_unless_another_is_asked_for(explain: Callable[..., str]) -> None:
    assert "attempt:   2 on spot, failed" in explain()
    assert "attempt:   1 on spot, failed" in explain("--number", "1")


def test_the_rule_and_its_source(explain: Callable[..., str]) -> None:
    told = explain("--number", "1")
    assert f"cause:     spot_interruption, charged to: {Charge.SYSTEM.value}" in told
    assert "rule:      ecs/spot-stop-code" in told
    assert "source:    https://" in told


def test_what_would_have_changed_the_answer(explain: Callable[..., str]) -> None:
    assert "otherwise: system, had the cloud" in explain()


def test_an_attempt_that_is_not_there(explain: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        explain("--number", "9")
    assert ended.value.code == 2
    assert "Attempts of this task instance: 1, 2, 3." in capsys.readouterr().err


def test_nothing_from_outside_commands_the_terminal() -> None:
    """A ledger is whatever the author of a Dag writes into it."""
    evil = "r\x1b]0;OWNED\x07\x1b[2J\x9b31m\r\u202e"
    attempt = replace(failed(1, Cause.SPOT_INTERRUPTION, evil), reason=evil, state=evil)
    assert all(letter.isprintable() or letter == "\n" for letter in render(attempt))

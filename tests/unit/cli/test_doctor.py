# SPDX-License-Identifier: Apache-2.0
"""What ``airflow interruptible doctor`` prints, and with which status it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from airflow_interruptible.cli import doctor, main
from airflow_interruptible.doctor.deployment import Deployment
from airflow_interruptible.doctor.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

ERROR = Finding("a/b", Severity.ERROR, "[x] y", "3", "1", "It is\x1b[31m wrong.", "https://example.com/y")
INFO = Finding("a/c", Severity.INFO, "[x] z", "v" * 100, "w", "Worth knowing.", "docs/doctor.md")


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """``ask([...findings], "json")``: the status and what was printed."""
    monkeypatch.setattr(doctor, "here", lambda: Deployment(lambda *_: None))

    def run(findings: list[Finding], output: str = "table") -> tuple[int, str]:
        monkeypatch.setattr(doctor, "examine", lambda _: findings)
        try:
            main(["doctor", "--output", output])
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, capsys.readouterr().out

    return run


def test_in_order_says_so_in_one_line(ask: Callable[..., tuple[int, str]]) -> None:
    status, text = ask([])
    assert status == 0
    assert len(text.splitlines()) == 1
    assert text.startswith("In order: ")


def test_what_is_worth_knowing_is_no_fault(ask: Callable[..., tuple[int, str]]) -> None:
    status, text = ask([INFO])
    assert status == 0
    assert text.startswith("In order: ")
    assert "Worth knowing." in text


def test_the_table_says_what_and_why(ask: Callable[..., tuple[int, str]]) -> None:
    status, text = ask([ERROR, INFO])
    lines = text.splitlines()
    assert status == 1
    assert lines[0].split() == ["severity", "setting", "value", "better"]
    assert lines[2].split() == ["error", "[x]", "y", "3", "1"]
    assert "v" * 57 + "..." in lines[3]
    assert "[x] y: It is [31m wrong. Better: 1." in text
    assert "  see https://example.com/y" in lines
    assert "\x1b" not in text


def test_the_machine_form(ask: Callable[..., tuple[int, str]]) -> None:
    status, text = ask([ERROR], "json")
    assert status == 1
    assert list(json.loads(text)[0]) == ["id", "severity", "setting", "value", "better", "why", "link"]
    assert json.loads(ask([], "json")[1]) == []
    assert yaml.safe_load(ask([INFO], "yaml")[1])[0]["severity"] == "info"
    assert len(ask([INFO], "plain")[1].splitlines()) == 2

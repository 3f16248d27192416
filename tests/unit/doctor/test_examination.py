# SPDX-License-Identifier: Apache-2.0
"""Checks that raise, that hang, that find something first; and the order in which findings are told."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.doctor import CHECKS
from airflow_interruptible.doctor.examination import examine
from airflow_interruptible.doctor.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def finding(kind: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(kind, severity, "setting", "value", "better", "why", "link")


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """``checks(name=function)``: modules with such a ``check``."""

    def make(**functions: Callable[[Any], Iterator[Finding]]) -> dict[str, str]:
        for name, function in functions.items():
            module = ModuleType(f"check_{name}")
            module.check = function  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, module.__name__, module)
        return {name: f"check_{name}" for name in functions}

    return make


def test_a_check_that_breaks_is_a_finding_and_keeps_what_it_found(checks: Any, deploy: Any) -> None:
    def breaks(_: Any) -> Iterator[Finding]:
        yield finding("a")
        raise KeyError("b")

    found = examine(deploy(), checks(one=breaks))
    assert [each.id for each in found] == ["a", "doctor/not-looked-at"]
    assert (found[1].setting, found[1].value, found[1].severity) == ("one", "KeyError: 'b'", Severity.WARNING)


def test_a_check_that_is_not_there_is_a_finding(deploy: Any) -> None:
    (found,) = examine(deploy(), {"nothing": "no_such_module"})
    assert "ModuleNotFoundError" in found.value


def test_a_check_that_hangs_keeps_nobody_waiting(checks: Any, deploy: Any) -> None:
    over = threading.Event()

    def hangs(_: Any) -> Iterator[Finding]:
        yield finding("a")
        over.wait(60)

    def answers(_: Any) -> Iterator[Finding]:
        yield finding("b", Severity.ERROR)

    try:
        found = examine(deploy(), checks(hanging=hangs, answering=answers), seconds=0.5)
    finally:
        over.set()
    assert [each.id for each in found] == ["b", "a", "doctor/not-looked-at"]
    assert found[2].value == "no answer within 0.5 s"


def test_the_worst_comes_first(checks: Any, deploy: Any) -> None:
    def each(_: Any) -> Iterator[Finding]:
        return (finding(severity.value, severity) for severity in reversed(Severity))

    assert [each.id for each in examine(deploy(), checks(one=each))] == ["error", "warning", "info"]


def test_every_check_can_be_loaded() -> None:
    from importlib import import_module

    assert all(callable(import_module(path).check) for path in CHECKS.values())

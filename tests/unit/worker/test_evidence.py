# SPDX-License-Identifier: Apache-2.0
"""Looking for evidence never makes a failure worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible import remote
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.worker.evidence import evidence_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def test_the_task_and_the_exception_are_looked_at(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(remote, "evidence_of", lambda *arguments: asked.append(arguments), raising=False)
    bench, error = bench(), ValueError()
    context = bench.context
    assert evidence_of(error, context) is None
    assert asked == [(bench.task, error, context)]


def test_what_we_interrupted_ourselves_is_not_looked_at(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "evidence_of", lambda *_: 1 / 0, raising=False)
    assert evidence_of(Interrupted("SIGTERM"), bench().context) is None


def test_an_error_while_looking_costs_one_warning(
    bench: Any, monkeypatch: pytest.MonkeyPatch, warnings_of: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(remote, "evidence_of", lambda *_: 1 / 0, raising=False)
    assert evidence_of(ValueError(), bench().context) is None
    assert len(warnings_of()) == 1

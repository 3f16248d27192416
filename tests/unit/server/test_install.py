# SPDX-License-Identifier: Apache-2.0
"""An observer that never harms what it observes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from airflow_interruptible.server import events
from airflow_interruptible.server.install import _Observer
from airflow_interruptible.server.seam import SeamChangedError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class FakeSession:
    new: list[Any] = field(default_factory=lambda: ["a row"])
    dirty: list[Any] = field(default_factory=list)
    no_autoflush: Any = field(default_factory=nullcontext)


@dataclass
class Placing:
    """What stands in for the real work: it remembers the sessions, and fails if told to."""

    sessions: list[Any] = field(default_factory=list)
    error: Exception | None = None

    def __call__(self, session: Any) -> None:
        self.sessions.append(session)
        if self.error is not None:
            raise self.error


@pytest.fixture
def placing(monkeypatch: pytest.MonkeyPatch) -> Placing:
    stand_in = Placing()
    monkeypatch.setattr(events, "place_next_attempts", stand_in)
    return stand_in


@pytest.mark.parametrize("session", [FakeSession(), FakeSession(new=[], dirty=["a row"])])
def test_a_flush_is_looked_at(placing: Placing, session: Any) -> None:
    _Observer().before_flush(session, None, None)
    assert placing.sessions == [session]


def test_a_flush_of_nothing_is_not(placing: Placing) -> None:
    session: Any = FakeSession(new=[])
    _Observer().before_flush(session, None, None)
    assert placing.sessions == []


def test_an_error_never_fails_the_transaction(placing: Placing, warnings_of: Callable[[], list[str]]) -> None:
    placing.error = RuntimeError("a bug of ours")
    observer, session = _Observer(), cast("Any", FakeSession())
    observer.before_flush(session, None, None)
    assert warnings_of() == ["An attempt could not be placed; it stays where the last one was."]
    assert observer.active


def test_an_airflow_that_we_do_not_know_is_left_alone(placing: Placing, warnings_of: Callable[[], list[str]]) -> None:
    placing.error = SeamChangedError("TaskInstance has no queue")
    observer, session = _Observer(), cast("Any", FakeSession())
    for _ in range(3):
        observer.before_flush(session, None, None)
    assert len(placing.sessions) == 1
    (warning,) = warnings_of()
    assert "TaskInstance has no queue" in warning
    assert "Both budgets still hold" in warning

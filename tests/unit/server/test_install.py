# SPDX-License-Identifier: Apache-2.0
"""An observer that never harms what it observes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from airflow_interruptible.server import complaints, events
from airflow_interruptible.server.install import _Observer
from airflow_interruptible.server.seam import SeamChangedError

if TYPE_CHECKING:
    from collections.abc import Callable


class TaskInstance:
    """One of Airflow's, as far as its class tells."""


TaskInstance.__module__ = "airflow.models.taskinstance"


class TheirOwn:
    """A row of the author's, in a table that may be called anything."""

    def __getattribute__(self, name: str) -> Any:
        pytest.fail(f"{name} of the author's row was asked for")


TheirOwn.__name__ = "TaskInstance"


@dataclass
class FakeSession:
    new: list[Any] = field(default_factory=lambda: [TaskInstance()])
    dirty: list[Any] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)
    no_autoflush: Any = field(default_factory=nullcontext)


@dataclass
class Placing:
    """What stands in for the real work: it remembers the sessions, and fails if told to."""

    sessions: list[Any] = field(default_factory=list)
    error: Exception | None = None

    def __call__(self, session: Any, new: Any, dirty: Any) -> None:
        assert new or dirty
        self.sessions.append(session)
        if self.error is not None:
            raise self.error


@pytest.fixture
def placing(monkeypatch: pytest.MonkeyPatch) -> Placing:
    monkeypatch.setattr(complaints, "complaints", complaints.Complaints())
    stand_in = Placing()
    monkeypatch.setattr(events, "place_next_attempts", stand_in)
    return stand_in


@pytest.mark.parametrize("session", [FakeSession(), FakeSession(new=[], dirty=[TaskInstance()])])
def test_a_flush_is_looked_at(placing: Placing, session: Any) -> None:
    _Observer().before_flush(session, None, None)
    assert placing.sessions == [session]


@pytest.mark.parametrize("session", [FakeSession(new=[]), FakeSession([TheirOwn()], [TheirOwn()])])
def test_a_flush_of_nothing_is_not(placing: Placing, session: Any) -> None:
    _Observer().before_flush(session, None, None)
    assert placing.sessions == []


def test_a_commit_without_such_runs_is_not(placing: Placing) -> None:
    _Observer().before_commit(cast("Any", FakeSession()))
    assert placing.sessions == []


def test_what_a_savepoint_could_not_undo_is_airflow_s_to_know(placing: Placing) -> None:
    from sqlalchemy.exc import OperationalError

    placing.error = OperationalError("ROLLBACK TO SAVEPOINT", {}, Exception("the database gave the transaction up"))
    with pytest.raises(OperationalError):
        _Observer().before_flush(cast("Any", FakeSession()), None, None)


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

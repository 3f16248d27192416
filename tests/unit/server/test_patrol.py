# SPDX-License-Identifier: Apache-2.0
"""When the thread is started, how it goes on after looks that fail, and what it says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.server import patrol
from airflow_interruptible.server.patrol import Patrol
from airflow_interruptible.server.seam import SeamChangedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_interruptible.server.patrol import Round

INSTEAD = "They wait for Airflow."


class Over(BaseException):
    """Ends the thread's loop."""


def test_the_first_heartbeat_starts_it() -> None:
    jobs: list[int] = []

    def begin(job_id: int) -> Round | None:
        jobs.append(job_id)
        return None

    one = Patrol("an_option", begin, INSTEAD)
    for _ in range(3):
        one.beat(7)
    thread = one._thread
    assert thread is not None
    thread.join(60)
    assert (jobs, thread.daemon, thread.name) == ([7], True, "an_option")


def test_looks_that_fail_are_told_once_and_come_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch, warnings_of: Callable[[], list[str]]
) -> None:
    looks: list[Any] = [OSError("refused")] * 7 + [None, None]
    pauses: list[float] = []

    def look() -> None:
        found = looks.pop(0) if looks else Over()
        if found is not None:
            raise found

    monkeypatch.setattr(patrol.time, "sleep", pauses.append)
    with pytest.raises(Over):
        Patrol("an_option", lambda _: (look, 10), INSTEAD)._walk(7)
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300, 10, 10]
    (warning,) = warnings_of()
    assert INSTEAD in warning


@pytest.mark.parametrize("error", [SeamChangedError("it takes something else"), ConfigurationError("it is no number")])
def test_what_it_cannot_begin_with_is_told_once(error: Exception, warnings_of: Callable[[], list[str]]) -> None:
    def begin(_job_id: int) -> Round | None:
        raise error

    Patrol("an_option", begin, INSTEAD)._walk(7)
    (warning,) = warnings_of()
    assert "an_option" in warning
    assert str(error) in warning
    assert INSTEAD in warning


def test_a_process_that_can_start_no_thread_goes_on(
    monkeypatch: pytest.MonkeyPatch, warnings_of: Callable[[], list[str]]
) -> None:
    def full(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", full)
    one = Patrol("an_option", lambda _: None, INSTEAD)
    one.beat(7)
    one.beat(7)
    assert len(warnings_of()) == 1

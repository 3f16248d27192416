# SPDX-License-Identifier: Apache-2.0
"""A job that does not begin, and for how long it is waited for."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from waiting import until

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.classification import classify
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.launched.work import Seen
from airflow_interruptible.rules import DEFAULT_RULES
from airflow_interruptible.worker.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable


class Service:
    """A kind of work whose job is in one state."""

    noun, given_up = "job", True

    def __init__(self, state: WorkState = WorkState.WAITING, error: Exception | None = None) -> None:
        self.state, self.error, self.stopped = state, error, threading.Event()
        self.looked = threading.Event()

    def look(self, _task: Any, _job: str) -> Seen:
        self.looked.set()
        return Seen(self.state)

    def stop(self, _task: Any, _job: str) -> None:
        self.stopped.set()
        if self.error is not None:
            raise self.error


def operator(capacity: CapacityType | None = CapacityType.SPOT, launch: object = "placed") -> Any:
    annotation = SimpleNamespace(launch=launch)
    return SimpleNamespace(
        interruptible_annotation=annotation, launched_capacity=capacity, launched={"launched_job": "j"}
    )


@pytest.fixture(autouse=True)
def _at_once(configure: Callable[..., None]) -> None:
    configure(spot_timeout="0.01")


def test_a_job_that_waits_is_stopped_and_that_is_no_capacity() -> None:
    service: Any = Service()
    with Patience(service, operator()) as patience:
        assert service.stopped.wait(30)
    assert patience.ran_out
    assert classify(patience.evidence, DEFAULT_RULES).cause is Cause.NO_CAPACITY


@pytest.mark.parametrize("state", [WorkState.AT_WORK, WorkState.ENDING, WorkState.OVER])
def test_a_job_that_does_not_wait_is_left_alone(state: WorkState) -> None:
    service: Any = Service(state)
    with Patience(service, operator()) as patience:
        assert service.looked.wait(30)
    assert not service.stopped.is_set()
    assert not patience.ran_out


@pytest.mark.parametrize(
    "task",
    [operator(CapacityType.ON_DEMAND), operator(None), operator(launch=None)],
    ids=["on-demand", "unknown", "none"],
)
def test_what_was_not_placed_on_spot_is_not_looked_at(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "Thread", None)
    with Patience(cast("Any", Service()), task) as patience:
        pass
    assert not patience.ran_out


def test_a_job_that_cannot_be_stopped_is_waited_for(warnings_of: Callable[[], list[str]]) -> None:
    service: Any = Service(error=ConnectionError("gone"))
    with Patience(service, operator()) as patience:
        until(lambda: any("cannot be seen" in text for text in warnings_of()))
    assert not patience.ran_out

# SPDX-License-Identifier: Apache-2.0
"""Whether a request to the supervisor is under way, told by names that are not ours."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.worker.comms import Requests

RUNNER = "airflow.sdk.execution_time.task_runner"


class Comms:
    """As Airflow's ``CommsDecoder``; what it is asked is called in the middle of the request."""

    def __init__(self) -> None:
        self._thread_lock = threading.Lock()
        self._async_lock = asyncio.Lock()

    def send(self, ask: Any) -> Any:
        return ask()


@pytest.fixture
def comms(monkeypatch: pytest.MonkeyPatch) -> Comms:
    found = Comms()
    monkeypatch.setitem(sys.modules, RUNNER, SimpleNamespace(SUPERVISOR_COMMS=found))  # type: ignore[arg-type]
    return found


def test_a_thread_that_waits_for_its_response_is_in_a_request(comms: Comms) -> None:
    requests = Requests()
    assert not requests.under_way(inspect.currentframe())
    assert comms.send(lambda: requests.under_way(inspect.currentframe()))
    with comms._thread_lock:
        assert not requests.under_way(inspect.currentframe()), "that is another thread's"


def test_so_is_a_coroutine_from_before_its_request_on(comms: Comms) -> None:
    requests = Requests()

    async def ask() -> bool:
        async with comms._async_lock:
            return requests.of_coroutines()

    assert asyncio.run(ask())
    assert not requests.of_coroutines()


@pytest.mark.parametrize("found", [None, SimpleNamespace(), SimpleNamespace(send=None)])
def test_an_airflow_without_these_names_is_never_waited_for(
    comms: Comms, monkeypatch: pytest.MonkeyPatch, found: object
) -> None:
    monkeypatch.setattr(sys.modules[RUNNER], "SUPERVISOR_COMMS", found)
    requests, frame = Requests(), inspect.currentframe()
    assert not requests.under_way(frame)
    assert not requests.of_coroutines()
    assert not requests.outcome_is_open(frame)
    assert not requests.reporting(frame)
    assert requests.from_any_thread is (found is None)


def test_a_process_that_runs_no_task_has_no_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, RUNNER, raising=False)
    assert not Requests().under_way(inspect.currentframe())
    assert RUNNER not in sys.modules


def test_airflow_still_has_these_names() -> None:
    import attrs
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CommsDecoder

    fields: Any = attrs.fields_dict(CommsDecoder)
    assert isinstance(fields["_thread_lock"].default.factory(), type(threading.Lock()))
    assert fields["_async_lock"].default.factory is asyncio.Lock
    assert inspect.isfunction(CommsDecoder.send)
    assert inspect.isfunction(task_runner._run_task_and_map_outcome)
    assert inspect.unwrap(task_runner.run).__code__.co_name == "run"

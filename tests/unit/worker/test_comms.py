# SPDX-License-Identifier: Apache-2.0
"""Whether a request to the supervisor is under way, told by a lock that is not ours."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.worker.comms import request_under_way

RUNNER = "airflow.sdk.execution_time.task_runner"


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Any:
    module: Any = SimpleNamespace(SUPERVISOR_COMMS=SimpleNamespace(_thread_lock=threading.Lock()))
    monkeypatch.setitem(sys.modules, RUNNER, module)
    return module


def test_a_held_lock_is_a_request(runner: Any) -> None:
    assert not request_under_way()
    with runner.SUPERVISOR_COMMS._thread_lock:
        assert request_under_way()
    assert not request_under_way()


@pytest.mark.parametrize("comms", [None, SimpleNamespace(), SimpleNamespace(_thread_lock=None)])
def test_an_airflow_without_the_lock_is_never_waited_for(runner: Any, comms: object) -> None:
    runner.SUPERVISOR_COMMS = comms
    assert not request_under_way()


def test_a_process_that_runs_no_task_has_no_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, RUNNER, raising=False)
    assert not request_under_way()
    assert RUNNER not in sys.modules


def test_airflow_still_has_the_lock() -> None:
    import attrs
    from airflow.sdk.execution_time.comms import CommsDecoder

    default: Any = attrs.fields_dict(CommsDecoder)["_thread_lock"].default
    assert isinstance(default.factory(), type(threading.Lock()))

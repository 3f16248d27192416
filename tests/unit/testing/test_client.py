# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_interruptible.testing.client import AirflowClient
from airflow_interruptible.testing.errors import LabError, LabTimeoutError
from airflow_interruptible.testing.records import DagRun

if TYPE_CHECKING:
    from collections.abc import Callable

    Server = Callable[..., AirflowClient]

LOCKED = httpx.Response(500, json={"detail": {"reason": "Database error", "statement": "hidden"}})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """``server(answer, answer, ...)``: a client of an api-server that gives these answers, the last for ever."""

    def start(*answers: httpx.Response | Exception, timeout: float = 5) -> AirflowClient:
        left = list(answers)

        def handle(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/auth/token":
                return httpx.Response(201, json={"access_token": "pass"})
            assert request.headers["Authorization"] == "Bearer pass"
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(httpx, "Client", partial(httpx.Client, transport=httpx.MockTransport(handle)))
        return AirflowClient("http://lab", timeout=timeout)

    return start


def test_a_locked_database_is_asked_again(server: Server) -> None:
    assert server(LOCKED, LOCKED, httpx.Response(200, json={"done": True})).request("PATCH", "/x") == {"done": True}


def test_a_database_that_stays_locked_is_told(server: Server) -> None:
    with pytest.raises(LabTimeoutError, match=r"PATCH /x.*\n.*Database error"):
        server(LOCKED, timeout=0.2).request("PATCH", "/x")


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(500, text="oops"), httpx.Response(500, json={"detail": "oops"}), httpx.Response(404, text="oops")],
)
def test_any_other_error_is_told_at_once(server: Server, answer: httpx.Response) -> None:
    with pytest.raises(LabError, match=r"GET /x: \d+ .*oops"):
        server(answer, httpx.Response(200, json={})).request("GET", "/x")


def test_a_silent_api_server_is_an_error_of_the_lab(server: Server) -> None:
    with pytest.raises(LabError, match=r"Is it running\?"):
        server(httpx.ConnectError("refused")).request("GET", "/x")


def test_a_dag_file_that_does_not_import_ends_the_wait_for_its_dag(server: Server) -> None:
    broken = httpx.Response(200, json={"import_errors": [{"filename": "d.py", "stack_trace": "ZeroDivisionError"}]})

    with pytest.raises(LabError, match=r"d\.py does not import:\nZeroDivisionError"):
        server(broken).wait_for_dag("d", timeout=60)


def test_a_try_that_is_over_before_anybody_looks_has_begun(server: Server) -> None:
    """Waiting for a state of the present try would miss it."""
    moment = "2026-01-01T00:00:00Z"
    shape = dict.fromkeys(
        ("queue", "pool", "executor", "executor_config", "operator_name", "hostname", "pid", "queued_when", "end_date")
    )

    def tries(*starts: str | None) -> httpx.Response:
        rows = [
            {**shape, "task_id": "t", "map_index": -1, "try_number": n, "max_tries": 3, "state": "x", "start_date": at}
            for n, at in enumerate(starts, 1)
        ]
        return httpx.Response(200, json={"task_instances": rows})

    client = server(tries(moment), tries(moment, None), tries(moment, moment, moment))
    run = DagRun("d", "r", "running", {})
    assert client.wait_for_try(run, "t", 2).try_number == 2
    with pytest.raises(LabTimeoutError, match=r"d\.t to begin try 4"):
        client.wait_for_try(run, "t", 4, timeout=0.1)

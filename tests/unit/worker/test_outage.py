# SPDX-License-Identifier: Apache-2.0
"""An attempt that ends while the API server is away asks again, and for errors of no other kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.worker import outage
from airflow_interruptible.worker.outage import asked_until_reached, is_outage

if TYPE_CHECKING:
    from collections.abc import Callable


def answered(error: ErrorType, **detail: object) -> AirflowRuntimeError:
    return AirflowRuntimeError(ErrorResponse(error=error, detail=detail or None))


REFUSED = answered(ErrorType.API_SERVER_ERROR, status_code=None, message="refused", exception_type="ConnectError")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "_PAUSE_SECONDS", 0)


class Server:
    """One that raises these errors, one per question, and then answers."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors, self.asked = list(errors), 0

    def ask(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "running"


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (REFUSED, True),
        (answered(ErrorType.API_SERVER_ERROR, status_code=None, exception_type="ReadTimeout"), True),
        (answered(ErrorType.API_SERVER_ERROR, status_code=None, exception_type="RemoteProtocolError"), True),
        (answered(ErrorType.API_SERVER_ERROR, status_code=503, message="no upstream"), True),
        (answered(ErrorType.API_SERVER_ERROR, status_code=500), True),
        (answered(ErrorType.API_SERVER_ERROR, status_code=409, message="not running"), False),
        (answered(ErrorType.API_SERVER_ERROR, status_code=None, exception_type="ValidationError"), False),
        (answered(ErrorType.API_SERVER_ERROR, status_code=None, exception_type="Client"), False),
        (answered(ErrorType.API_SERVER_ERROR), False),
        (answered(ErrorType.PERMISSION_DENIED, status_code=503), False),
        (ConnectionError("the author's own"), False),
    ],
)
def test_what_an_outage_is(error: BaseException, away: bool) -> None:
    assert is_outage(error) is away


def test_it_is_asked_until_it_is_back_and_that_is_said_once(warnings_of: Callable[[], list[str]]) -> None:
    server = Server(*[REFUSED] * 5)
    assert asked_until_reached(server.ask, 60) == "running"
    assert server.asked == 6
    assert len(warnings_of()) == 1


def test_without_patience_it_is_asked_once(warnings_of: Callable[[], list[str]]) -> None:
    server = Server(REFUSED)
    with pytest.raises(AirflowRuntimeError):
        asked_until_reached(server.ask, 0)
    assert server.asked == 1
    assert not warnings_of()


def test_an_error_of_another_kind_is_not_waited_out() -> None:
    server = Server(REFUSED, ValueError("ours"))
    with pytest.raises(ValueError, match="ours"):
        asked_until_reached(server.ask, 60)
    assert server.asked == 2


def test_the_policy_waits_for_the_server(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And judges the attempt as if nothing had been."""
    rig = bench(retries=0)
    server, states = Server(REFUSED, REFUSED), rig.ti.get_task_states

    def answer(**asked: object) -> object:
        server.ask()
        return states(**asked)

    monkeypatch.setattr(rig.ti, "get_task_states", answer)
    decision = rig.evaluate(Interrupted("SIGTERM"))
    assert decision.action is RetryAction.RETRY
    assert "forgiven" in str(decision.reason)
    assert server.asked == 3

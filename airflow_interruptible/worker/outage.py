# SPDX-License-Identifier: Apache-2.0
"""An API server that is away for a while, as when it is deployed anew: ask again until it is back.

Airflow's supervisor asks five times within some 10 seconds, on average, and an api-server takes as long to start. An
attempt that gave up then would end without a word of how, which is charged to its author.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

log = logging.getLogger(__name__)

T = TypeVar("T")

REPORT_SECONDS: Final = 60.0
"""How long an attempt that has ended waits to report it. A machine that goes away cuts that short, which the next
attempt recognises; and after three failed heartbeats, a minute or so, Airflow's supervisor ends its task itself."""

_PAUSE_SECONDS: Final = 1.0


def asked_until_reached(ask: Callable[[], T], seconds: float) -> T:
    """Return what ``ask()`` returns, which is called again while the API server cannot be reached.

    :param seconds: for how long to begin anew. One call alone may take as long as Airflow's own tries take.
    :raises Exception: whatever the last call raised.
    """
    attempts = Retrying(
        retry=retry_if_exception(is_outage),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(_PAUSE_SECONDS),
        before_sleep=_say_once(seconds),
        reraise=True,
    )
    return attempts(ask)


def is_outage(error: BaseException) -> bool:
    """Return whether ``error`` says that the API server was not reached, or could not answer."""
    if not isinstance(error, AirflowRuntimeError) or error.error.error is not ErrorType.API_SERVER_ERROR:
        return False
    detail: dict[str, Any] = error.error.detail or {}
    status = detail.get("status_code")
    if isinstance(status, int):
        return status >= 500  # noqa: PLR2004 - of HTTP: the server's fault
    return _is_of_the_wire(detail.get("exception_type"))


def _is_of_the_wire(name: object) -> bool:
    """Whether an exception of this name is one of httpx, which the supervisor asks with."""
    import httpx

    kind = getattr(httpx, name, None) if isinstance(name, str) else None
    return isinstance(kind, type) and issubclass(kind, httpx.HTTPError)


def _say_once(seconds: float) -> Callable[[RetryCallState], None]:
    def say(state: RetryCallState) -> None:
        if state.attempt_number == 1:
            log.warning("The API server cannot be reached; how this attempt ended is reported within %g s.", seconds)

    return say

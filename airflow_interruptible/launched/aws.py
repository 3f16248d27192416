# SPDX-License-Identifier: Apache-2.0
"""What the services of AWS have in common: the answer to the call that starts a job names it.

boto3 tells whoever registers with a client of every answer, before the operator sees it: so the name of a job is known
at the first moment at which it can be, whatever the operator does next. And it takes an answer from whoever registers,
and then asks no service: so an operator that always starts a job goes on with one instead.
https://docs.aws.amazon.com/boto3/latest/guide/events.html
"""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_REFUSED = 300
"""HTTP answers from here on start nothing."""


@contextmanager
def answers(
    client: Any,
    call: str,
    name_in: Callable[[Mapping[str, Any]], str | None],
    heard: Callable[[str], None],
    instead: Mapping[str, Any] | None = None,
) -> Iterator[None]:
    """Call ``heard`` with the job that an answer names, inside the ``with`` block.

    :param client: the operator's.
    :param call: such as ``ecs.RunTask``.
    :param name_in: returns the name from an answer, None if there is none in it.
    :param instead: what the call is answered with, so that no job is started; None (the default) to let it start one.
    """

    def handle(parsed: Mapping[str, Any], http_response: Any, **_: Any) -> None:
        name = name_in(parsed) if http_response.status_code < _REFUSED else None
        if name:
            heard(name)

    def answer(**_: Any) -> tuple[Any, dict[str, Any]] | None:
        return None if instead is None else (SimpleNamespace(status_code=200), dict(instead))

    events, handlers = client.meta.events, {f"before-call.{call}": answer, f"after-call.{call}": handle}
    for event, handler in handlers.items():
        events.register(event, handler, unique_id=f"interruptible-{event}")
    try:
        yield
    finally:
        for event in handlers:
            events.unregister(event, unique_id=f"interruptible-{event}")


def error_of(error: BaseException) -> tuple[str, str]:
    """Return code and message with which an API refused, empty texts if it did not."""
    response = getattr(error, "response", None)
    told = response.get("Error") if isinstance(response, dict) else None
    return (str(told.get("Code", "")), str(told.get("Message", ""))) if isinstance(told, dict) else ("", "")

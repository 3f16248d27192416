# SPDX-License-Identifier: Apache-2.0
"""Asking the Kubernetes API: not for long, and what is gone is no error. It must not know what is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

SECONDS = 2
"""How long one request may take."""

_GONE = 404
_TRANSIENT = frozenset((408, 409, 410, 429))
_SERVER_ERRORS = 500
_TRIES = 5

T = TypeVar("T")


def ask(call: Callable[..., Any], *arguments: str, **options: str) -> dict[str, Any] | None:
    """Return what the API answers, as fields in the client's own spelling (``node_name``); None if it is gone.

    :raises Exception: whatever else the client raises.
    """
    found = ask_for(call, *arguments, **options)
    return None if found is None else plain(found)


def ask_for(call: Callable[..., Any], *arguments: str, **options: str) -> Any | None:
    """Return what the API answers, as the client's own model; None if it is gone.

    :raises Exception: whatever else the client raises.
    """
    try:
        return call(*arguments, **options, _request_timeout=SECONDS)
    except Exception as error:
        if is_gone(error):
            return None
        raise


def patiently(call: Callable[[], T]) -> T:
    """Return what a call of the API answers, which is made again after a failure that passes: five times in 8 s.

    :raises Exception: what the client raises at last, or at once if it is no use to ask again.
    """
    for number in range(1, _TRIES):
        try:
            return call()
        except Exception as error:
            if not _passes(error):
                raise
        time.sleep(2**number / 4)
    return call()


def _passes(error: Exception) -> bool:
    """Whether the API was overloaded, restarted or out of reach, rather than unwilling."""
    status = getattr(error, "status", None)
    return is_of_the_api(error) and (status is None or status in _TRANSIENT or status >= _SERVER_ERRORS)


def is_of_the_api(error: BaseException) -> bool:
    """Whether the API refused a call, or could not be reached; anything else is a fault of the caller's."""
    from urllib3.exceptions import HTTPError

    return isinstance(getattr(error, "status", None), int) or isinstance(error, (HTTPError, OSError))


def is_gone(error: BaseException) -> bool:
    """Whether the API answered that there is no such thing."""
    return getattr(error, "status", None) == _GONE


def plain(thing: Any) -> dict[str, Any]:
    """Return a model of the client as fields. Rubbish has none."""
    fields = thing.to_dict() if hasattr(thing, "to_dict") else thing
    return dict(fields) if isinstance(fields, Mapping) else {}

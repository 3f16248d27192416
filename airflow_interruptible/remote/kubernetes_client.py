# SPDX-License-Identifier: Apache-2.0
"""Asking the Kubernetes API: once, not for long, and what is gone is no error. It must not know what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SECONDS = 2
"""How long one request may take."""

_GONE = 404


def ask(call: Callable[..., Any], *arguments: str, **options: str) -> dict[str, Any] | None:
    """Return what the API answers, as fields in the client's own spelling (``node_name``); None if it is gone.

    :raises Exception: whatever else the client raises.
    """
    try:
        return plain(call(*arguments, **options, _request_timeout=SECONDS))
    except Exception as error:
        if is_gone(error):
            return None
        raise


def is_gone(error: BaseException) -> bool:
    """Whether the API answered that there is no such thing."""
    return getattr(error, "status", None) == _GONE


def plain(thing: Any) -> dict[str, Any]:
    """Return a model of the client as fields. Rubbish has none."""
    fields = thing.to_dict() if hasattr(thing, "to_dict") else thing
    return dict(fields) if isinstance(fields, Mapping) else {}

# SPDX-License-Identifier: Apache-2.0
"""Requests that authors write as nested fields: as a message or a dict, in camel case or with underscores.

What an author wrote is copied, never changed, and a field keeps the spelling that it has.
"""

from __future__ import annotations

import ast
import json
from typing import Any

from airflow_interruptible.launched.work import is_template
from airflow_interruptible.remote.google import as_fields


def copied(request: object) -> dict[str, Any] | None:
    """Return a request as fields of its own, None if only rendering will tell what it is.

    :param request: a mapping, a message of protocol buffers, or either's text, as a template leaves it.
    """
    if isinstance(request, str) and not is_template(request):
        request = _parsed(request)
    fields = as_fields(request)
    return _copy(dict(fields)) if fields else None


def _copy(value: Any) -> Any:
    """Copy what holds values, not the values: one may be another task's result, and lead to its whole Dag."""
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    return type(value)(map(_copy, value)) if type(value) in (list, tuple) else value


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def spelled(fields: dict[str, Any], name: str) -> str:
    """Return how ``fields`` spells ``name``: as it is, or in camel case; as it is where it is not there."""
    first, *rest = name.split("_")
    camel = first + "".join(map(str.capitalize, rest))
    return camel if camel in fields and name not in fields else name


def value(fields: object, name: str) -> Any:
    """Return the value of a field, None if it is not there."""
    return fields.get(spelled(fields, name)) if isinstance(fields, dict) else None


def objects(fields: object, name: str) -> list[dict[str, Any]]:
    """Return the objects in the list that a field holds."""
    items = value(fields, name)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list | tuple) else []


def inner(fields: dict[str, Any], *path: str) -> dict[str, Any]:
    """Return the object at ``path``, made where it is not there yet, so that it can be written to."""
    for name in path:
        key = spelled(fields, name)
        if not isinstance(fields.get(key), dict):
            fields[key] = {}
        fields = fields[key]
    return fields


def write(fields: dict[str, Any], name: str, new: object) -> None:
    """Write a field, in the spelling that it has."""
    fields[spelled(fields, name)] = new

# SPDX-License-Identifier: Apache-2.0
"""Requests as nested fields, in whatever shape an author writes them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_interruptible.launched.fields import copied, inner, objects, value, write


class Message:
    """What a message of protocol buffers offers."""

    @staticmethod
    def to_dict(message: Message, *, use_integers_for_enums: bool) -> dict[str, Any]:
        return {"state": 1 if use_integers_for_enums else "RUNNING"}


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        ({"a": [{"b": (1,)}]}, {"a": [{"b": (1,)}]}),
        ('{"a": true}', {"a": True}),
        ("{'a': True}", {"a": True}),
        (Message(), {"state": "RUNNING"}),
        ("{{ later }}", None),
        ("no request", None),
        (object(), None),
        (None, None),
    ],
)
def test_copied(request_: object, fields: object) -> None:
    assert copied(request_) == fields


def test_what_is_held_is_copied_and_what_is_in_it_is_not() -> None:
    result = object()
    request = {"a": {"b": [result]}}
    copy = copied(request)
    assert copy is not None
    assert copy["a"] is not request["a"]
    assert copy["a"]["b"][0] is result


def test_a_field_keeps_the_spelling_that_it_has() -> None:
    fields: dict[str, Any] = {"taskGroups": [{"x": 1}, "odd"], "both_here": 1, "bothHere": 2}
    assert objects(fields, "task_groups") == [{"x": 1}]
    assert value(fields, "both_here") == 1
    assert value("no object", "a") is None
    write(fields, "task_groups", [])
    inner(fields, "allocation_policy", "location")["a"] = 1
    write(fields, "new_one", 3)
    expected = {"taskGroups": [], "both_here": 1, "bothHere": 2, "allocation_policy": {"location": {"a": 1}}}
    assert fields == {**expected, "new_one": 3}

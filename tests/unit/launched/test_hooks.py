# SPDX-License-Identifier: Apache-2.0
"""A hook's calls, heard while an operator runs."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_interruptible.launched.hooks import around, is_missing


class Base:
    def start(self, name: str) -> str:
        return f"started {name}"


class Hook(Base):
    def stop(self) -> str:
        return "stopped"


def loudly(call: Any, hook: Any, *args: Any) -> str:
    return f"{type(hook).__name__}: {call(*args)}!"


@pytest.mark.parametrize(("name", "args", "answer"), [("start", ("a",), "started a"), ("stop", (), "stopped")])
def test_a_call_is_answered_inside_the_block_only(name: str, args: tuple[str, ...], answer: str) -> None:
    before = dict(vars(Hook))
    with around(Hook, name, loudly):
        assert getattr(Hook(), name)(*args) == f"Hook: {answer}!"
    assert getattr(Hook(), name)(*args) == answer
    assert dict(vars(Hook)) == before


def test_an_error_leaves_nothing_behind() -> None:
    def fail() -> None:
        with around(Hook, "stop", loudly):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert Hook().stop() == "stopped"


def test_what_is_missing() -> None:
    class Google(Exception):
        code = 404

    class Databricks(Exception):
        http_status_code = 404

    assert is_missing(Google())
    assert is_missing(Databricks())
    assert not is_missing(ValueError())

# SPDX-License-Identifier: Apache-2.0
"""Errors of Airflow's own signal handler, told from everybody else's."""

from __future__ import annotations

import inspect
import types
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.worker.early_signal import unmasked

if TYPE_CHECKING:
    from collections.abc import Callable

RUNNER = "airflow.sdk.execution_time.task_runner"


def raised(function: Callable[[], object]) -> BaseException:
    with pytest.raises(AttributeError) as caught:
        function()
    return caught.value


def handler(module: str, name: str = "_on_term") -> Callable[[], object]:
    """A function of that name and module that calls ``on_kill`` where there is none."""
    scope: dict[str, Any] = {"__name__": module}
    exec(f"def {name}():\n    object().on_kill()", scope)
    return types.FunctionType(scope[name].__code__, scope)


def test_an_error_of_the_handler_is_an_interruption() -> None:
    found = unmasked(raised(handler(RUNNER)))
    assert isinstance(found, Interrupted)
    assert "told to stop before the task began" in str(found)


@pytest.mark.parametrize(("module", "name"), [("my.tasks", "_on_term"), (RUNNER, "run")])
def test_any_other_error_is_what_it_is(module: str, name: str) -> None:
    error = raised(handler(module, name))
    assert unmasked(error) is error


def test_one_that_was_never_raised_is_too() -> None:
    error = AttributeError("on_kill")
    assert unmasked(error) is error


def test_airflow_s_handler_still_has_that_name() -> None:
    """If this fails, find the function that Airflow gives to ``signal.signal`` in its task runner, and name it."""
    from airflow.sdk.execution_time import task_runner

    assert "def _on_term(" in inspect.getsource(task_runner)

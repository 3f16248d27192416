# SPDX-License-Identifier: Apache-2.0
"""The tree that the module draws is the tree there is."""

from __future__ import annotations

import inspect

from airflow_interruptible import exceptions
from airflow_interruptible.exceptions import Interrupted, InterruptibleError


def test_every_error_has_the_one_root() -> None:
    raised = [kind for _, kind in inspect.getmembers(exceptions, inspect.isclass)]
    assert {kind for kind in raised if not issubclass(kind, InterruptibleError)} == {Interrupted}


def test_an_interruption_is_no_exception() -> None:
    """``except Exception`` in the author's code must not swallow it."""
    assert issubclass(Interrupted, BaseException)
    assert not issubclass(Interrupted, Exception)


def test_every_class_is_in_the_drawing() -> None:
    assert exceptions.__doc__ is not None
    for name, _ in inspect.getmembers(exceptions, inspect.isclass):
        assert name in exceptions.__doc__

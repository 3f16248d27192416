# SPDX-License-Identifier: Apache-2.0
"""The ready-made operators are exactly what ``interruptible`` makes of Airflow's."""

from __future__ import annotations

from importlib import import_module

import pytest

from airflow_interruptible import interruptible, operators


@pytest.mark.parametrize("name", operators.__all__)
def test_a_ready_made_operator(name: str) -> None:
    original = getattr(import_module(operators._HOMES[name]), name)
    assert getattr(operators, name) is interruptible(original)


def test_an_unknown_name_is_refused_with_the_way_out() -> None:
    with pytest.raises(ImportError, match=r"^There is no ready-made SparkOperator\. Make it.* Ready-made are Bash"):
        from airflow_interruptible.operators import SparkOperator  # noqa: F401
    assert not hasattr(operators, "spark"), "which Python asks for submodules"


def test_the_list_is_complete() -> None:
    assert dir(operators) == sorted(operators.__all__) == sorted(operators._HOMES)

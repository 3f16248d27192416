# SPDX-License-Identifier: Apache-2.0
"""The examples in the docstrings of the core are true."""

from __future__ import annotations

import doctest
from importlib import import_module
from pkgutil import iter_modules

import pytest

from airflow_interruptible import core

MODULES = [f"{core.__name__}.{module.name}" for module in iter_modules(core.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(import_module(name), raise_on_error=False)
    assert result.failed == 0


def test_the_rules_of_the_contract_have_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    with_examples = {
        name.rpartition(".")[2] for name in MODULES if any(test.examples for test in finder.find(import_module(name)))
    }
    assert {"precedence", "budget", "placement", "plan", "delay"} <= with_examples

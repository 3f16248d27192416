# SPDX-License-Identifier: Apache-2.0
"""What is exported, three times written, once meant: ``__all__``, the lazy table, and what type checkers see."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

LAZY = ["airflow_interruptible", "airflow_interruptible.operators", "airflow_interruptible.testing"]
EXPORTS = [(name, export) for name in LAZY for export in import_module(name).__all__ if not export.startswith("__")]


def type_checked(module: Any) -> dict[str, str]:
    """What ``if TYPE_CHECKING:`` imports: the names, and where from."""
    found: dict[str, str] = {}
    for node in ast.parse(Path(module.__file__).read_text()).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                found |= {alias.asname or alias.name: str(statement.module) for alias in statement.names}
    return found


@pytest.mark.parametrize("name", LAZY)
def test_the_three_lists_agree(name: str) -> None:
    module = import_module(name)
    exported = [export for export in module.__all__ if not export.startswith("__")]
    assert type_checked(module) == module._HOMES
    assert sorted(exported) == sorted(module._HOMES)
    assert len(set(module.__all__)) == len(module.__all__)
    assert dir(module) == sorted(module.__all__)


@pytest.mark.parametrize(("name", "export"), EXPORTS)
def test_an_export_is_there_and_says_what_it_is(name: str, export: str) -> None:
    value = getattr(import_module(name), export)
    if not (inspect.isclass(value) or callable(value)):
        return
    assert inspect.getdoc(value)


@pytest.mark.parametrize(("name", "export"), EXPORTS)
def test_every_public_method_says_what_it_does(name: str, export: str) -> None:
    value = getattr(import_module(name), export)
    if not inspect.isclass(value) or not value.__module__.startswith("airflow_interruptible"):
        return
    for attribute, member in vars(value).items():
        if not attribute.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            assert inspect.getdoc(member), f"{export}.{attribute}"


@pytest.mark.parametrize("name", LAZY)
def test_what_is_not_there_is_said_so(name: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'no_such_thing'"):
        import_module(name).no_such_thing


def test_the_names_of_the_contract_are_exported() -> None:
    import airflow_interruptible

    assert {"interruptible", "checkpoint"} <= set(airflow_interruptible.__all__)


def test_the_version_is_the_one_of_the_package() -> None:
    from importlib.metadata import version

    import airflow_interruptible

    assert version("airflow-interruptible") == airflow_interruptible.__version__

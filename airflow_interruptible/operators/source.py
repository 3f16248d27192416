# SPDX-License-Identifier: Apache-2.0
"""The source of a TaskFlow function that runs elsewhere, without the decorator that it does not know there.

``@task.kubernetes``, ``@task.docker`` and ``@task.virtualenv`` send the function's source. Airflow takes its own
decorator away from it; above that one may stand ``@interruptible``.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk.bases.decorator import DecoratedOperator

    _Base = DecoratedOperator
else:
    _Base = object

_OURS = ("airflow_interruptible.annotate", "interruptible")


class SourceSender(_Base):
    """Stands between :class:`.InterruptibleMixin` and an operator that sends a function's source."""

    python_callable: Callable[..., Any]

    def get_python_source(self) -> str:
        """Return the source as the operator would, without ``@interruptible``."""
        source: str = super().get_python_source()  # type: ignore[no-untyped-call]
        return without_ours(source, getattr(self.python_callable, "__globals__", {}))


def without_ours(source: str, names: dict[str, Any]) -> str:
    """Return the source of a function without the decorator ``interruptible``.

    :param names: what the names in it stand for. One that they do not have is taken at its word.
    """
    function = ast.parse(source).body[0]
    lines = source.splitlines(keepends=True)
    for decorator in reversed(getattr(function, "decorator_list", [])):
        if _is_ours(decorator, names):
            del lines[decorator.lineno - 1 : decorator.end_lineno]
    return "".join(lines)


def _is_ours(decorator: ast.expr, names: dict[str, Any]) -> bool:
    meant = _meaning(decorator, names)
    if meant is None:
        return isinstance(decorator, ast.Name) and decorator.id == _OURS[1]
    return (getattr(meant, "__module__", None), getattr(meant, "__name__", None)) == _OURS


def _meaning(expression: ast.expr, names: dict[str, Any]) -> Any:
    if isinstance(expression, ast.Name):
        return names.get(expression.id)
    if isinstance(expression, ast.Attribute):
        return getattr(_meaning(expression.value, names), expression.attr, None)
    return None

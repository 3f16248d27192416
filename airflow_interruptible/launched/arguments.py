# SPDX-License-Identifier: Apache-2.0
"""What an author wrote on an operator, told from what is the operator's own default.

``launch_type="EC2"`` that somebody wrote contradicts spot; the same text as a default does not. Airflow keeps what was
written, ``default_args`` included, under a private name, which is touched here only; where it is missing, every
attribute counts as written. A mapped task keeps what it was given without the ``default_args`` that its operator takes,
so they are added here.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

_WRITTEN = "_BaseOperator__init_kwargs"


def written(task: Any) -> dict[str, Any]:
    """Return the arguments of an operator or a mapped one that somebody wrote, by name, as they are now.

    After rendering they are what the templates said. What a mapped task expands is not among them.
    """
    if task.is_mapped:
        return {**_inherited(task), **task.partial_kwargs}
    names = getattr(task, _WRITTEN, None)
    attributes = vars(task)
    if names is None:
        return dict(attributes)
    return {name: attributes.get(name, value) for name, value in names.items()}


def expanded(task: Any) -> dict[str, list[Any]]:
    """Return the arguments that a mapped task expands, each with those of its values that the Dag tells.

    What an upstream task will return is not among them, nor is what ``expand_kwargs(xcom)`` will expand.
    """
    if not task.is_mapped:
        return {}
    value = getattr(task.expand_input, "value", None)
    items = value if isinstance(value, list | tuple) else [value]
    found: dict[str, list[Any]] = {}
    for item in items:
        for name, given in item.items() if isinstance(item, Mapping) else ():
            one_each = [given] if item is not value else given if isinstance(given, list | tuple) else []
            found.setdefault(name, []).extend(one_each)
    return found


def _inherited(task: Any) -> dict[str, Any]:
    known = _parameters(task.operator_class)
    dag = task.get_dag()
    groups, group = [], task.task_group
    while group is not None:
        groups.append(group)
        group = group.parent_group
    found: dict[str, Any] = {}
    for source in (dag, *reversed(groups)):
        found.update({} if source is None else source.default_args)
    return {name: value for name, value in found.items() if name in known}


@cache
def _parameters(operator_class: type) -> frozenset[str]:
    inits = (vars(base)["__init__"] for base in operator_class.__mro__ if "__init__" in vars(base))
    return frozenset(name for init in inits for name in inspect.signature(init).parameters)

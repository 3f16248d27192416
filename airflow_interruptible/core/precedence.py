# SPDX-License-Identifier: Apache-2.0
"""Which ``interruptible`` setting applies to a task.

>>> resolve({Level.DAG: True, Level.TASK: False}).interruptible
False
>>> resolve({Level.DAG: True, Level.TASK: None}).interruptible
True
>>> resolve({Level.TASK: False, Level.RUN: True}).level
<Level.RUN: 'dag_run.conf'>
>>> resolve({}).interruptible
False

Whoever wrote ``@task.interruptible``, and nothing else, means it:

>>> resolve({}, annotated=True)
Resolution(interruptible=True, level=<Level.ANNOTATION: 'its annotation'>)
>>> resolve({Level.CONFIG: False}, annotated=True).interruptible
False

A teardown gives something back, so an interruption of it costs more than it saves: it is interruptible only if it says
so itself.

>>> resolve({Level.DAG: True}, teardown=True, annotated=True).interruptible
False
>>> resolve({Level.TASK: True}, teardown=True).interruptible
True
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Level(str, Enum):
    """Where a setting was written, strongest first. The value is how messages call it.

    The last two are not written anywhere: what applies where no other level says anything.
    """

    RUN = "dag_run.conf"
    OVERRIDE = "override()"
    TASK = "the task's own argument"
    TASK_GROUP = "the TaskGroup's default_args"
    DAG = "the Dag's default_args"
    CONFIG = "default in section interruptible of airflow.cfg"
    ANNOTATION = "its annotation"
    BUILT_IN = "the built-in default"


@dataclass(frozen=True)
class Resolution:
    """The setting that applies, and the level that gave it."""

    interruptible: bool
    level: Level


def resolve(values: Mapping[Level, bool | None], *, teardown: bool = False, annotated: bool = False) -> Resolution:
    """Return the first value that is not None, strongest level first.

    :param values: what each level says; a missing level and None both mean "inherit".
    :param teardown: the task is a teardown, which inherits nothing.
    :param annotated: somebody wrote the word for this task, which is True unless a level says otherwise.
    """
    if teardown and not _own(values):
        return Resolution(interruptible=False, level=Level.BUILT_IN)
    for level in Level:
        value = values.get(level)
        if value is not None:
            return Resolution(interruptible=value, level=level)
    return Resolution(interruptible=annotated, level=Level.ANNOTATION if annotated else Level.BUILT_IN)


def _own(values: Mapping[Level, bool | None]) -> bool | None:
    override = values.get(Level.OVERRIDE)
    return values.get(Level.TASK) if override is None else override


def checked(value: object, level: Level) -> bool | None:
    """Return ``value`` if it can be an ``interruptible`` setting.

    :raises TypeError: it is neither a bool nor None. Strings such as ``"false"`` are refused as well: guessing
        would send somebody's work to the wrong machine.
    """
    if value is None or isinstance(value, bool):
        return value
    raise TypeError(
        f"interruptible must be True, False or None, but {level.value} says {value!r} ({type(value).__name__}). "
        "Only these tell spot from on-demand without guessing. "
        "Write True for spot, False for on-demand, or leave it out to inherit."
    )

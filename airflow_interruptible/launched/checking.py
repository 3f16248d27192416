# SPDX-License-Identifier: Apache-2.0
"""What is refused of an operator that launches a job, when its Dag is parsed.

A task that is interruptible by its own argument or annotation is refused; one that is so by its Dag, its TaskGroup or
airflow.cfg is left where its author sends it instead, with one warning: whoever wrote that word may not know of every
task.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.precedence import Level
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.launched.arguments import expanded, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.core.precedence import Resolution
    from airflow_interruptible.launched.work import Work

log = logging.getLogger(__name__)


_LATER = "{{ what it is mapped over }}"
"""What stands for an argument that only the run will tell, as a template does."""

_BY_TASK = frozenset({Level.TASK, Level.ANNOTATION})


def said_by_task(resolution: Resolution) -> bool:
    """Whether the task itself says that it is interruptible, by its argument or its annotation."""
    return resolution.interruptible and resolution.level in _BY_TASK


def check_launch(task: Any, work: Work, options: Mapping[str, Any], resolution: Resolution) -> None:
    """Refuse what placing would have to overrule.

    :param task: the operator, or a mapped one.
    :param options: of the compute that places the work.
    :param resolution: whether the task is interruptible, and who says so.
    :raises ConfigurationError: the options cannot be meant; or what contradicts, why, and what to do.
    """
    work.check_options(options)
    if not resolution.interruptible:
        return
    try:
        for arguments in _alternatives(task, work):
            work.check(arguments, options)
    except ConfigurationError as error:
        if said_by_task(resolution):
            raise
        _warn_once(f"Task {task.task_id}: {error} Until then, its {work.noun} goes where its author sends it.")


def _alternatives(task: Any, work: Work) -> Iterator[dict[str, Any]]:
    """What the author wrote: of a mapped task once for each value that it expands of what placing amends."""
    various, said = expanded(task), written(task)
    if taken := sorted(various.keys() & (work.owns - work.amends)):
        raise ConfigurationError(
            f"{taken[0]} cannot be expanded on an interruptible task: each attempt writes it, to place its "
            f"{work.noun}. Write it in .partial(), or say interruptible=False."
        )
    later = various.keys() or work.amends if task.is_mapped else frozenset()
    said = {**dict.fromkeys(later & work.amends, _LATER), **said}
    yield said
    for name in sorted(various.keys() & work.amends):
        yield from ({**said, name: value} for value in various[name])


@cache
def _warn_once(text: str) -> None:
    log.warning(text)

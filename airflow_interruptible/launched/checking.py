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
    from collections.abc import Mapping

    from airflow_interruptible.core.precedence import Resolution
    from airflow_interruptible.launched.work import Work

log = logging.getLogger(__name__)


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
        _check_expanded(task, work)
        work.check(written(task), options)
    except ConfigurationError as error:
        if said_by_task(resolution):
            raise
        _warn_once(f"Task {task.task_id}: {error} Until then, its {work.noun} goes where its author sends it.")


def _check_expanded(task: Any, work: Work) -> None:
    if taken := sorted(expanded(task) & work.owns):
        raise ConfigurationError(
            f"{taken[0]} cannot be expanded on an interruptible task: each attempt writes it, to place its "
            f"{work.noun}. Write it in .partial(), or say interruptible=False."
        )


@cache
def _warn_once(text: str) -> None:
    log.warning(text)

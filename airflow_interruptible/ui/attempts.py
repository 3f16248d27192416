# SPDX-License-Identifier: Apache-2.0
"""The attempts of a task instance, from what is known of it to what the API answers."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.link_template import links
from airflow_interruptible.next_steps import next_steps
from airflow_interruptible.rules import source_of
from airflow_interruptible.settings import get_settings
from airflow_interruptible.summary import summary
from airflow_interruptible.ui import schemas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.attempts import AttemptView, Story
    from airflow_interruptible.core.history import History
    from airflow_interruptible.server.seam import Key


log = logging.getLogger(__name__)


def answer(key: Key, story: Story) -> schemas.Attempts:
    """Return what the API answers about a task instance."""
    dag_id, task_id, run_id, map_index = key
    history, upcoming, templates = story.history, story.upcoming, _templates()
    return schemas.Attempts(
        dag_id=dag_id,
        run_id=run_id,
        task_id=task_id,
        map_index=map_index,
        state=story.state,
        annotated=history is not None,
        interruptible=None if history is None else history.interruptible,
        live=story.live,
        summary=summary(story),
        budget=None if history is None else _budget(history),
        next=None
        if upcoming is None
        else schemas.Upcoming(capacity=upcoming.capacity, why=upcoming.why, at=story.next_at),
        next_steps=next_steps(story),
        cleared_after=list(story.cleared_after),
        attempts=[_attempt(each, templates) for each in story.attempts],
    )


def _budget(history: History) -> schemas.Budget:
    account = history.account
    return schemas.Budget(
        user_retries=account.budget.user_retries,
        user_retries_left=account.user_retries_left,
        system_retries=account.budget.system_retries,
        system_retries_left=account.system_retries_left,
    )


@cache
def _templates() -> Mapping[str, str]:
    try:
        return get_settings().link_templates()
    except ConfigurationError as error:
        log.warning("%s Until then, the pages link to nothing.", error)
        return {}


def _attempt(each: AttemptView, templates: Mapping[str, str]) -> schemas.Attempt:
    known: Mapping[str, Any] = {"host": each.host, **each.where}
    return schemas.Attempt(
        attempt=each.attempt,
        state=each.state,
        capacity=each.capacity,
        placed_because=_placed_because(each),
        cause=each.cause,
        charge=each.charge,
        reason=each.reason,
        error=each.error,
        rule=each.rule,
        rule_source=source_of(each.rule),
        start=each.start,
        end=each.end,
        user_retries_left=each.user_retries_left,
        system_retries_left=each.system_retries_left,
        where={name: value for name, value in known.items() if value not in (None, "")},
        links=links(templates, known),
        notice=None if each.notice is None else schemas.Notice.model_validate(each.notice),
        checkpoint=None if each.checkpoint is None else schemas.Checkpoint.model_validate(each.checkpoint),
    )


def _placed_because(each: AttemptView) -> str | None:
    """Return why it was placed as it was: as it wrote down itself, else as the rule says if it ran there."""
    if each.why is not None:
        return each.why
    if each.due is not None and each.due.capacity is each.capacity:
        return each.due.why
    return None

# SPDX-License-Identifier: Apache-2.0
"""Queues of ``compute = queue``: whether Celery workers serve both, as they say themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.compute.pair import Pair
from airflow_interruptible.doctor.finding import Finding, Severity
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.remote.presence import celery

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from airflow_interruptible.doctor.deployment import Deployment

_LINK = "docs/celery.md#4-no-spot-worker-to-be-had"


def check(deployment: Deployment) -> Iterator[Finding]:
    """Ask all workers which queues they serve."""
    choice = deployment.choice
    if choice.name != "queue" or not deployment.has_executor("CeleryExecutor"):
        return
    try:
        pair = Pair.from_options("queue", choice.options, "")
    except ConfigurationError:
        return  # told by computes
    yield from unserved(pair, celery.queues())


def unserved(pair: Pair, workers: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """Yield the queues that no worker serves.

    :param workers: the queues of every worker that answers.
    """
    served = {queue for queues in workers.values() for queue in queues}
    setting = "[interruptible] compute_options"
    if not workers:
        yield Finding(
            id="celery-queues/no-worker",
            severity=Severity.WARNING,
            setting="Celery workers",
            value="none answers",
            better=f"workers of queue {pair.on_demand}, and of {pair.spot}",
            why="No worker of Celery's is there now, or none answers ([celery] worker_enable_remote_control). Where "
            "they are started on demand, start one of each kind and ask again.",
            link=_LINK,
        )
        return
    answered = f"{len(workers)} workers serve {', '.join(sorted(served)) or 'no queue'}"
    if pair.on_demand not in served:
        yield Finding(
            id="celery-queues/on-demand-unserved",
            severity=Severity.ERROR,
            setting=setting,
            value=f"on_demand {pair.on_demand!r}; {answered}",
            better="a queue that workers serve",
            why="The last attempt of every task goes there, and would wait for ever.",
            link=_LINK,
        )
    if pair.spot not in served:
        yield Finding(
            id="celery-queues/spot-unserved",
            severity=Severity.WARNING,
            setting=setting,
            value=f"spot {pair.spot!r}; {answered}",
            better="a queue that workers serve, at least now and then",
            why="First attempts go there, and wait for [scheduler] task_queued_timeout before they go on demand.",
            link=_LINK,
        )

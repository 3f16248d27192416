# SPDX-License-Identifier: Apache-2.0
"""The cluster policy: the one module that every Airflow process imports, by its ``airflow.policy`` entry point.

It makes stock operators interruptible where the Dag says so, places first attempts, watches the metadata database of
the processes that have one, and lets a Celery worker pass on to its tasks that it is shut down. Everything heavier than
a dictionary look-up waits until a Dag asks for it, but in processes that live long and fork one for each task or file:
they load it once instead of each of those.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.policies import hookimpl

from airflow_interruptible.server.install import install, observer
from airflow_interruptible.worker import warm_shutdown

if TYPE_CHECKING:
    from collections.abc import Generator

log = logging.getLogger(__name__)

install()
warm_shutdown.install()
if sys.argv[1:3] == ["celery", "worker"]:
    from airflow_interruptible.worker import celery

    celery.install()

_FORKING = (["scheduler"], ["dag-processor"], ["celery", "worker"], ["edge", "worker"])
"""Commands of ``airflow`` whose processes fork; a scheduler does so for LocalExecutor."""

_AHEAD = ("policies.adoption", "decorators.interruptible", "remote.whereabouts", "compute.none", "notices.watcher")
"""What an attempt, and the parse of an interruptible Dag, load before the author's first line: 40 ms in all."""


def load_ahead(command: list[str]) -> None:
    """Load what the processes need that a command will fork. What cannot be loaded, the Dags that need it will tell.

    :param command: the words after ``airflow``.
    """
    if not any(command[: len(words)] == words for words in _FORKING):
        return
    try:
        for name in _AHEAD:
            import_module(f"airflow_interruptible.{name}")
    except Exception:
        log.debug("Nothing more is loaded ahead.", exc_info=True)


load_ahead(sys.argv[1:])


@hookimpl(wrapper=True)
def task_policy(task: Any) -> Generator[None, Any, Any]:
    """Adopt a stock task if its TaskGroup, its Dag or airflow.cfg says so, and place an annotated one.

    Around all other policies, so that they see the author's ``retries``, and ours has the last word on the sum.

    :raises ConfigurationError: an argument cannot be meant; Airflow shows it as the Dag's import error.
    """
    from airflow_interruptible.policies import adoption

    with adoption.with_the_author_s_retries(task):
        result = yield
    adoption.apply(task)
    return result


@hookimpl
def task_instance_mutation_hook(task_instance: Any) -> None:
    """Take notice of runs whose tasks Airflow goes over: those that it adds it inserts past every session event."""
    observer.reconciled(task_instance)

# SPDX-License-Identifier: Apache-2.0
"""Which executor a compute needs that places attempts by a service's own request.

A task bound for any other would carry a request that nobody sends, or that the service refuses; so it is refused when
the Dag is parsed. The executor itself is not imported for this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.executor_names import classes_of, path_of

if TYPE_CHECKING:
    from collections.abc import Mapping

EXECUTORS: Mapping[str, str] = {
    "ecs": "airflow_interruptible.executors.ecs.InterruptibleAwsEcsExecutor",
    "batch": "airflow_interruptible.executors.batch.InterruptibleAwsBatchExecutor",
}
"""The compute, and the executor that it needs."""


def refuse_executor(compute: str, executor: str | None) -> None:
    """Refuse any executor but the one that ``compute`` needs, and what is made of it.

    :param executor: the task's own, None for the first of ``[core] executor``.
    :raises ConfigurationError: it is another one.
    """
    needed, path = EXECUTORS[compute], path_of(executor)
    if path == needed or needed.rpartition(".")[2] in (classes_of(path) or ()):
        return
    raise ConfigurationError(
        f"compute {compute!r} and executor {path!r} contradict each other: only {needed} sends each attempt where it "
        "belongs, launches it once, and says why it ended. Put that in [core] executor, or choose another compute."
    )

# SPDX-License-Identifier: Apache-2.0
"""Workers of Celery that answer no ping, while the broker does: all of them in one broadcast.

A worker answers from its main process, whatever its pool does. One answer missed proves little, so a worker has to
miss two in a row. The broker is asked first, by a connection: where it is away, nobody could answer, and nothing is
said.
https://docs.celeryq.dev/en/stable/userguide/workers.html#ping
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.answer import inside
from airflow_interruptible.remote.presence import Life, Proof, Token, by

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_EXECUTOR = "CeleryExecutor"
_STARTED = "STARTED"

SECONDS = 1.5
"""How long an answer is waited for. A worker on another continent takes a tenth of that."""

PINGS = 2


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts whose worker is silent."""
    theirs = {token: life for token, life in lives.items() if life.executor.endswith(_EXECUTOR)}
    workers = {name: there for (name,), there in by(theirs, "celery_worker").items()}
    for name in sorted(silent(workers)):
        for token in workers[name]:
            yield token, Proof(f"its worker {name}")


def silent(workers: Collection[str]) -> set[str]:
    """Return the workers that are gone, of those named.

    :raises Exception: whatever Celery raises when the broker cannot be reached.
    """
    if not workers or not _answerable():
        return set()
    control = _reachable()
    left = set(workers)
    for _ in range(PINGS):
        left -= {name for reply in control.ping(destination=sorted(left), timeout=SECONDS) for name in reply}
        if not left:
            break
    return left


def takers(messages: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the messages that a worker has begun with, and its name, as Celery's result backend tells.

    Nothing is told of a message that waits in the broker, nor of one that a worker has fetched and not begun with;
    nothing at all without ``[celery] task_track_started``, which is True by default. All states are asked for at once.
    https://docs.celeryq.dev/en/stable/userguide/configuration.html#task-track-started

    :param messages: the ids of tasks of Celery's, see ``external_executor_id``.
    :raises Exception: whatever the backend raises when it cannot be reached.
    """
    if not messages:
        return
    from airflow.providers.celery.executors import celery_executor_utils

    provider: Any = celery_executor_utils
    app = provider.app
    if not isinstance(app.backend, (provider.BaseKeyValueStoreBackend, provider.DatabaseBackend)):
        return  # any other is asked by a pool of processes, which has no place in a scheduler's thread
    states = provider.BulkStateFetcher(1).get_many([app.AsyncResult(message) for message in messages])
    for message in [message for message, (state, *_) in states.items() if state == _STARTED]:
        worker = inside(app.backend.get_task_meta(message), "result").get("hostname")
        if isinstance(worker, str):
            yield message, worker


def queues() -> dict[str, set[str]]:
    """Return the queues that each worker serves, of those that answer.

    :raises Exception: whatever Celery raises when the broker cannot be reached.
    """
    answers = _reachable().inspect(timeout=SECONDS).active_queues() or {}
    return {worker: {str(queue.get("name")) for queue in served} for worker, served in answers.items()}


def _answerable() -> bool:
    """Whether workers answer pings at all: one that must not, is silent all its life."""
    from airflow.configuration import conf

    return conf.getboolean("celery", "worker_enable_remote_control", fallback=True)


def _reachable() -> Any:
    """Return what speaks to workers.

    :raises Exception: whatever Celery raises when the broker cannot be reached.
    """
    from airflow.providers.celery.executors.celery_executor_utils import app

    patience = {"socket_connect_timeout": SECONDS, "socket_timeout": SECONDS}  # redis waits for ever by itself
    with app.connection_for_write(transport_options=patience) as connection:
        connection.ensure_connection(max_retries=1, timeout=SECONDS)
    return app.control

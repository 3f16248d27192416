# SPDX-License-Identifier: Apache-2.0
"""Workers of Celery that answer no ping, while the broker does: all of them in one broadcast.

A worker answers from its main process, whatever its pool does. One answer missed proves little, so a worker has to
miss two in a row. The broker is asked first, by a connection: where it is away, nobody could answer, and nothing is
said.
https://docs.celeryq.dev/en/stable/userguide/workers.html#ping
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.presence import Life, Proof, Token, by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EXECUTOR = "CeleryExecutor"

SECONDS = 1.5
"""How long an answer is waited for. A worker on another continent takes a tenth of that."""

PINGS = 2


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts whose worker is silent."""
    theirs = {token: life for token, life in lives.items() if life.executor.endswith(_EXECUTOR)}
    workers = {name: there for (name,), there in by(theirs, "celery_worker").items()}
    if not workers or not _answerable():
        return
    control = _reachable()
    silent = set(workers)
    for _ in range(PINGS):
        silent -= {name for reply in control.ping(destination=sorted(silent), timeout=SECONDS) for name in reply}
        if not silent:
            return
    for name in sorted(silent):
        for token in workers[name]:
            yield token, Proof(f"its worker {name}")


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

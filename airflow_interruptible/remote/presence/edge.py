# SPDX-License-Identifier: Apache-2.0
"""Workers of the Edge provider, by their own entries in Airflow's database.

Only ``offline`` is a worker's own last word, written when it has ended its tasks and stopped. ``unknown`` is written by
the scheduler where a worker was not heard of for a while, which an API server that is away brings about as well.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from airflow_interruptible.remote.presence import Life, Proof, Token, by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EXECUTOR = "EdgeExecutor"
_ENDED = frozenset(("offline", "offline maintenance"))


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts whose worker says that it has stopped since they began."""
    theirs = {token: life for token, life in lives.items() if life.executor.endswith(_EXECUTOR)}
    workers = {name: there for (name,), there in by(theirs, "host").items()}
    if not workers:
        return
    from airflow.utils.session import create_session
    from sqlalchemy import select

    model = import_module(
        "airflow.providers.edge3.models.edge_worker"
    ).EdgeWorkerModel  # by name: it is no extra of ours
    with create_session(scoped=False) as session:
        wanted = select(model).where(model.worker_name.in_(workers))
        for worker in session.scalars(wanted):
            if str(getattr(worker.state, "value", worker.state)) in _ENDED:
                for token in workers[worker.worker_name]:
                    yield token, Proof(f"its worker {worker.worker_name}")

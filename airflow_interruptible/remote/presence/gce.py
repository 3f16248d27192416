# SPDX-License-Identifier: Apache-2.0
"""Machines of Google Compute Engine under a worker of any executor: all of them in one call, by their names.

A managed group gives the name of a machine to its successor, so a machine that runs proves nothing, and one that is not
found may be in another project. ``TERMINATED`` is what Google calls stopped, and what a preempted machine is first.
https://cloud.google.com/compute/docs/instances/instance-lifecycle
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.answer import each, inside, moment
from airflow_interruptible.remote.presence import Life, Proof, Token, by, chunks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,62})")
_ENDED = frozenset(("TERMINATED", "STOPPED", "SUSPENDED"))
_CONNECTION = "google_cloud_default"
_IN_A_CALL = 50
"""A filter of that many names stays well below the longest address that Google reads."""


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts whose machine has stopped since they began."""
    machines = {name: there for (name,), there in by(lives, "vm").items() if _NAME.fullmatch(name)}
    if not machines:
        return
    from airflow.providers.google.cloud.hooks.compute import ComputeEngineHook

    hook: Any = ComputeEngineHook(gcp_conn_id=_CONNECTION)
    instances = hook.get_conn().instances()
    for some in chunks(machines, _IN_A_CALL):
        wanted = " OR ".join(f'(name = "{name}")' for name in some)
        answer = instances.aggregatedList(project=hook.project_id, filter=wanted, maxResults=500)
        for scope in inside(answer.execute(num_retries=0), "items").values():
            for instance in each(scope, "instances"):
                yield from _ended(instance, some.get(str(instance.get("name")), {}))


def _ended(instance: Mapping[str, Any], lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    if instance.get("status") not in _ENDED:
        return
    stopped = moment(instance.get("lastStopTimestamp"))
    for token, life in lives.items():
        if life.begun is None or stopped is None or stopped >= life.begun:
            yield token, Proof(f"its machine {instance['name']}")

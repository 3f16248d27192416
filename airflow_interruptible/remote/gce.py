# SPDX-License-Identifier: Apache-2.0
"""Google Compute Engine: the operations on a machine, by which alone a preempted one is told from a deleted one.

The surprising fact: managed groups give the name of a preempted machine to its successor, so only operations since the
attempt's start count. https://cloud.google.com/compute/docs/instances/preemptible
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.answer import Answer, each, inside, pick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.remote.past import Past

_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,62})")
"""A machine's name, which goes into a filter. https://cloud.google.com/compute/docs/naming-resources"""


def look(past: Past) -> Iterator[Answer]:
    """Look for operations on the machine that an attempt ran on, in all zones of the connection's project."""
    from airflow.providers.google.cloud.hooks.compute import ComputeEngineHook

    name = past.where["vm"]
    if not _NAME.fullmatch(name):
        return
    hook: Any = ComputeEngineHook(gcp_conn_id="google_cloud_default")
    listed = hook.get_conn().globalOperations().aggregatedList(
        project=hook.project_id, filter=f'targetLink eq ".*/instances/{name}"', maxResults=100
    )  # fmt: skip
    scopes = inside(listed.execute(num_retries=0), "items").values()
    operations = [
        pick(one, "operationType", "statusMessage", "targetId")
        for scope in scopes
        for one in each(scope, "operations")
        if str(one.get("targetLink")).endswith(f"/instances/{name}") and past.saw(one.get("insertTime"))
    ]
    if operations:
        yield past.tell(Answer("gce", "operations", {"operation": operations}, about=frozenset({("vm", name)})))

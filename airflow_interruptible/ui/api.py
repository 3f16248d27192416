# SPDX-License-Identifier: Apache-2.0
"""The JSON API."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException

from airflow_interruptible.attempts import view
from airflow_interruptible.server import tries
from airflow_interruptible.ui.access import may_read_task_instances

router = APIRouter(prefix="/api")


@router.get("/attempts", dependencies=[may_read_task_instances])
def attempts(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
    """The attempts of a task instance."""
    from airflow.utils.session import create_session

    with create_session() as session:
        known = tries.read(session, (dag_id, task_id, run_id, map_index))
        if known is None:
            raise HTTPException(404, "There is no such task instance.")
        views = view(known)
    return {
        "dag_id": dag_id,
        "run_id": run_id,
        "task_id": task_id,
        "map_index": map_index,
        "state": views[-1].state if views else None,
        "annotated": any(row.marker for row in known.tries),
        "interruptible": None,
        "live": True,
        "summary": "",
        "budget": None,
        "next": None,
        "attempts": [
            {
                **{key: value for key, value in each.to_json().items() if key != "host"},
                "where": {**each.where, **({"host": each.host} if each.host else {})},
                "placed_because": None,
                "rule_source": None,
                "notice": None,
                "checkpoint": None,
            }
            for each in views
        ],
    }

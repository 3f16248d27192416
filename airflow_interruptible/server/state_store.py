# SPDX-License-Identifier: Apache-2.0
"""Airflow's task state store, as the processes with the metadata database read and write it.

It has no public way in but the workers' API. From Airflow 3.4 on, a mapped row is named by its region there, too; see
:mod:`airflow_interruptible.server.seam`.
"""

from __future__ import annotations

import inspect
import json
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.server.seam import SeamChangedError, key_of, models, require

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_COLUMNS = {"id", "dag_id", "run_id", "task_id", "key", "value", "updated_at"}


def read_state(session: Session, row: Any, key: str) -> Any:
    """Return a value of the task state store, None if there is none.

    :raises ValueError: it is not JSON, is nested without end, or holds half a character, which nobody could send on.
    """
    from pydantic_core import from_json

    stored = _backend().get(_scope(row), key, session=session)
    return None if stored is None else from_json(stored)


def write_state(session: Session, row: Any, key: str, value: Any) -> None:
    """Write a value to the task state store, with the life time that Airflow gives to what workers write."""
    from airflow.configuration import conf

    days = conf.getint("state_store", "default_retention_days", fallback=30)
    expires_at = datetime.now(timezone.utc) + timedelta(days=days) if days > 0 else None
    _backend().set(_scope(row), key, json.dumps(value), expires_at=expires_at, session=session)


def stored_states() -> type[Any]:
    """Return the model of the task state store.

    :raises ConfigurationError: the store is not in this database.
    :raises SeamChangedError: it is not as this package knows it.
    """
    try:
        from airflow.models.task_state_store import TaskStateStoreModel
        from airflow.state.metastore import MetastoreBackend
    except ImportError as error:
        raise SeamChangedError(f"the task state store has moved: {error}") from error
    if not isinstance(_backend(), MetastoreBackend):
        raise ConfigurationError(
            f"[state_store] backend is {type(_backend()).__name__}, whose contents cannot be listed. "
            "Reports need Airflow's own, which is the default."
        )
    require(TaskStateStoreModel, _COLUMNS | set(stored_index()))
    return TaskStateStoreModel


def stored_index() -> dict[str, str]:
    """Return which columns of a task instance a row of the task state store names beside its task: its by ours."""
    if models().tries_are_rows:
        return {"region_index": "region_index", "region_id": "region_id"}
    return {"map_index": "map_index"}


def _backend() -> Any:
    try:
        from airflow.state import get_state_backend
    except ImportError as error:
        raise SeamChangedError(f"the task state store has moved: {error}") from error
    return get_state_backend()


def _scope(row: Any) -> Any:
    dag_id, task_id, run_id, map_index = key_of(row)
    region = {"region_id": row.region_id} if models().tries_are_rows else {}
    return _scopes()(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index, **region)


@cache
def _scopes() -> Any:
    try:
        from airflow._shared.state import TaskScope
    except ImportError as error:
        raise SeamChangedError(f"the task state store has moved: {error}") from error
    wanted = {"dag_id", "run_id", "task_id", "map_index"} | ({"region_id"} if models().tries_are_rows else set())
    if missing := wanted - inspect.signature(TaskScope).parameters.keys():
        raise SeamChangedError(f"TaskScope has no {', '.join(sorted(missing))}")
    return TaskScope

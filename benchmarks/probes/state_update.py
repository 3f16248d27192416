# SPDX-License-Identifier: Apache-2.0
"""What the API server does when a worker reports the end of a try, called in process."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from datetime import datetime, timezone
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow import settings
from airflow.api_fastapi.common.dagbag import create_dag_bag
from airflow.api_fastapi.execution_api.datamodels.taskinstance import (
    TIRetryStatePayload,
    TISuccessStatePayload,
    TITerminalStatePayload,
)
from airflow.api_fastapi.execution_api.routes.task_instances import ti_update_state
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models.dagrun import get_or_create_dagrun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import delete, event, select, update
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

_WARM_UP = 3
_BUNDLE = "dags-folder"
_PAYLOADS: dict[str, Callable[[], Any]] = {
    "success": lambda: _payload(TISuccessStatePayload, "success"),
    "failed": lambda: _payload(TITerminalStatePayload, "failed"),
    "up_for_retry": lambda: _payload(TIRetryStatePayload, "up_for_retry"),
}


def _payload(model: type[BaseModel], state: str) -> BaseModel:
    return model.model_validate({"state": state, "end_date": _now()})


def _now() -> datetime:
    return datetime.now(timezone.utc)


def prepare(file: Path, dag_id: str) -> None:
    """Make a database with one run of the Dag in the file."""
    with create_session() as session:
        initdb(session=session)
        DagBundlesManager().sync_bundles_to_db(session=session)  # type: ignore[no-untyped-call]
    sync_bag_to_db(BundleDagBag(dag_folder=file, bundle_path=file.parent, bundle_name=_BUNDLE), _BUNDLE, None)
    dag = SerializedDagModel.get_dag(dag_id)
    if dag is None:
        raise SystemExit(f"{file} does not hold {dag_id}")
    with create_session() as session:
        get_or_create_dagrun(
            dag=dag,
            run_id="bench",
            logical_date=None,
            data_interval=None,
            run_after=_now(),
            start_date=_now(),
            conf={},
            triggered_by=DagRunTriggeredByType.TEST,
            triggering_user_name=None,
            session=session,
        )


class Statements:
    """Counts the statements that reach the database."""

    def __init__(self) -> None:
        self.count = 0
        event.listen(settings.engine, "before_cursor_execute", self._one)

    def _one(self, *_: Any) -> None:
        self.count += 1


def first_try() -> Any:
    """Bring the only task instance back to its first try, running, and return its id."""
    running = {"state": "running", "try_number": 1, "start_date": _now(), "end_date": None}
    with create_session(scoped=False) as session:
        session.execute(delete(TaskInstanceHistory))
        session.execute(delete(TaskStateStoreModel))
        session.execute(update(TaskInstance).values(running))
        return session.scalar(select(TaskInstance.id))


class Listener:
    """Our listener, behind a switch: what it costs is too little to be seen between two processes.

    :raises ImportError: this package is not installed.
    """

    def __init__(self) -> None:
        from airflow_interruptible.server.install import observer

        self.on = True
        self._observer = observer
        event.remove(Session, "before_flush", observer.before_flush)
        event.listen(Session, "before_flush", self._pass_on)

    def _pass_on(self, *arguments: Any) -> None:
        if self.on:
            self._observer.before_flush(*arguments)


def updates(rounds: int, listener: Listener | None) -> Iterator[tuple[str, int, float]]:
    """Update the state again and again; yield what was updated how, how many statements and CPU seconds that took."""
    statements, dag_bag = Statements(), create_dag_bag()
    for _ in range(rounds):
        for state, payload in _PAYLOADS.items():
            for on in (False, True) if listener else (False,):
                if listener:
                    listener.on = on
                ti_id = first_try()
                before, began = statements.count, time.process_time()
                with create_session(scoped=False) as session:
                    ti_update_state(ti_id, payload(), session, dag_bag)
                yield f"{state} {'on' if on else 'off'}", statements.count - before, time.process_time() - began


def main(file: Path, dag_id: str, rounds: int) -> None:
    """Print what each update took, time after time: without our listener, and with it where we are installed."""
    ours = any(point.module.startswith("airflow_interruptible") for point in entry_points(group="airflow.policy"))
    listener = Listener() if ours else None
    prepare(file, dag_id)
    list(updates(_WARM_UP, listener))  # imports and compiled statements are for the first
    taken: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for name, statements, seconds in updates(rounds, listener):
        taken[name].append((statements, seconds))
    print(json.dumps({"ours": ours, "updates": taken}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))

# SPDX-License-Identifier: Apache-2.0
"""A metadata database, and the steps of the scheduler and the API server that end an attempt.

Wherever Airflow's own function can be called without a running process, it is: ``ti_update_state`` of the workers' API,
``handle_failure``, ``clear_task_instances``, ``expand_mapped_task``. The rest repeats the few lines that do it. Both
layouts of Airflow's tables are known here, see :mod:`airflow_interruptible.server.seam`, so tests need not know them.
"""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from airflow import settings
from airflow.api_fastapi.execution_api.datamodels.taskinstance import TIRetryStatePayload
from airflow.api_fastapi.execution_api.routes.task_instances import ti_update_state
from airflow.models.dagbag import DBDagBag
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from airflow.sdk.timezone import utcnow
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from mariadb import mariadb
from metadata import metadata_database
from postgres import postgres
from sqlalchemy import and_, event, select, update
from sqlalchemy.orm import lazyload, load_only

from airflow_interruptible import interruptible
from airflow_interruptible.ledger import KEY, Ledger, Record
from airflow_interruptible.marker import Marker
from airflow_interruptible.server import seam, state_store
from airflow_interruptible.server.complaints import complaints
from airflow_interruptible.server.install import observer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy.orm import Session

_numbers = itertools.count(1)

SERVERS: dict[str, Any] = {"sqlite": nullcontext, "postgresql": postgres, "mariadb": mariadb}
"""The kinds of metadata databases, by how each is started."""

ROWS_ARE_TRIES = hasattr(TaskInstance, "working_set")


@contextmanager
def transaction() -> Iterator[Session]:
    """One transaction of the scheduler or the API server."""
    with create_session(scoped=False) as session:
        yield session


@pytest.fixture(scope="session")
def database() -> Iterator[None]:
    """The tables: in a file of SQLite's, or on the server that ``make databases`` names."""
    assert "airflow-interruptible-tests-" in str(settings.get_engine().url), "tests write only to their own database"
    with SERVERS[os.environ.get("METADATA_DATABASE", "sqlite")]() as url, metadata_database(url):
        yield


@dataclass
class Deployment:
    """One run of one Dag in the database, and what happens to its task instance ``work``."""

    dag: DAG
    run_id: str = "run"
    task_id: str = "work"
    serialized: Any = field(init=False)

    # -- before an attempt

    def deploy(self) -> Deployment:
        """Write the Dag as the dag-processor does."""
        lazy = LazyDeserializedDAG.from_dag(self.dag)
        with transaction() as session:
            session.merge(DagBundleModel(name="tests"))
            session.flush()
            SerializedDAG.bulk_write_to_db("tests", None, [lazy], session=session)
            SerializedDagModel.write_dag(lazy, "tests", session=session)
        self.serialized = DagSerialization.from_dict(lazy.data)
        return self

    def trigger(self, conf: dict[str, Any] | None = None) -> Deployment:
        """Create a run as the REST API does."""
        with transaction() as session:
            self.serialized.create_dagrun(
                run_id=self.run_id,
                run_after=utcnow(),
                conf=conf,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.QUEUED,
                session=session,
            )
        return self

    def start_run(self, created: datetime | None = None) -> Deployment:
        """Let the scheduler take up the run, which has waited since it was ``created``."""
        with transaction() as session:
            run = self._dag_run(session)
            run.state = DagRunState.RUNNING
            run.created_at = created or run.created_at
        return self

    def queue(self, map_index: int = -1) -> Deployment:
        """Schedule and queue the next attempt: a bulk UPDATE, as ``schedule_tis`` does."""
        if not ROWS_ARE_TRIES:
            return self._update(map_index, try_number=TaskInstance.try_number + 1, state="queued")
        number = self.due(map_index).row(map_index).try_number
        return self._update(map_index, try_number=max(1, number), state="queued")

    def due(self, map_index: int = -1) -> Deployment:
        """Let the scheduler get to a retry: where every try is a row, it then refreshes that from the task.

        So it is the moment at which it is placed there. In the other layout it is placed when the last attempt ends.
        """
        with transaction() as session:
            ti = self._ti(session, map_index)
            if ROWS_ARE_TRIES and ti.state == "up_for_retry":
                ti.refresh_from_task(self.serialized.get_task(self.task_id), dag_run=ti.dag_run)
        return self

    def run(self, map_index: int = -1, record: Record | None = None) -> Deployment:
        """Let a worker run the next attempt; ``record`` is what it writes into the ledger."""
        self.queue(map_index)
        self._update(
            map_index, state="running", start_date=utcnow(), hostname="h", retry_delay_override=None, retry_reason=None
        )
        return self if record is None else self.report(record, map_index)

    def report(self, record: Record, map_index: int = -1) -> Deployment:
        """Let the worker of the attempt that runs write down ``record``."""
        budget = self.marker(map_index).budget
        with transaction() as session:
            ti = self._ti(session, map_index)
            ledger = Ledger.from_json(state_store.read_state(session, ti, KEY))
            number = ti.try_number - (ROWS_ARE_TRIES and ti.state == "up_for_retry")  # which is that of the next one
            ledger = ledger.at(number, ti.max_tries, budget).with_record(number, record)
            state_store.write_state(session, ti, KEY, ledger.to_json())
        return self

    # -- how an attempt ends

    def reported(self, map_index: int = -1, delay: float | None = 0.0, reason: str | None = "forgiven") -> Deployment:
        """D1: the worker reports UP_FOR_RETRY to the API server."""
        payload = TIRetryStatePayload(
            state="up_for_retry", end_date=utcnow(), retry_delay_seconds=delay, retry_reason=reason
        )
        with transaction() as session:
            ti_update_state(self._ti(session, map_index).id, payload, session, DBDagBag())
        return self.due(map_index)

    def died(self, map_index: int = -1, said: str | None = None) -> Deployment:
        """D2: the scheduler learns that the process is gone; ``said`` is what the executor says of it."""
        with transaction() as session:
            ti = self._ti(session, map_index)
            if said is not None:
                extra = f"Learn more: there Extra info: {said}"
                session.add(Log(event=seam.STATE_MISMATCH, extra=extra, task_instance=ti if ROWS_ARE_TRIES else ti.key))
            ti.task = self.serialized.get_task(self.task_id)
            ti.handle_failure("the process is gone", session=session)
        return self

    def finished(self, state: str) -> Deployment:
        """The worker reports a final state: a bulk UPDATE, as ``ti_update_state`` writes it."""
        return self._update(-1, state=state, end_date=utcnow())

    def clear(self, map_index: int = -1) -> Deployment:
        """A person clears the task instance, whose worker, if there is one, is yet to hear of it."""
        with transaction() as session:
            clear_task_instances([self._ti(session, map_index)], session)
        return self

    def gone(self) -> Deployment:
        """The worker of an attempt that was cleared while it ran has ended."""
        with transaction() as session:
            ti = self._ti(session)
            if not ROWS_ARE_TRIES:
                ti.state = None
            elif ti.state == "restarting":
                ti.task = self.serialized.get_task(self.task_id)
                ti.complete_restart(session=session)
        return self

    def cleared(self, map_index: int = -1) -> Deployment:
        """A person clears the task instance. Where every try is a row, that waits for a worker to be gone."""
        self.clear(map_index)
        return self.gone() if ROWS_ARE_TRIES else self

    def orphaned(self) -> Deployment:
        """The scheduler that queued it is gone: as ``adopt_or_reset_orphaned_tasks`` loads and resets it."""
        model = TaskInstance
        index = (model.region_index,) if ROWS_ARE_TRIES else (model.map_index,)
        loaded = (model.id, model.dag_id, model.task_id, model.run_id, *index, model.state)
        query = (
            select(model)
            .options(lazyload(model.dag_run), load_only(*loaded, model.external_executor_id))
            .where(model.dag_id == self.dag.dag_id, model.task_id == self.task_id)
        )
        with transaction() as session:
            ti = session.scalars(query).one()
            ti = ti.prepare_db_for_next_try(session=session) or ti
            ti.state = None
            ti.queued_by_job_id = None
            ti.external_executor_id = None
            ti.clear_next_method_args()
        return self

    def stuck(self) -> Deployment:
        """The scheduler requeues it: a Log row and a bulk UPDATE, as ``_maybe_requeue_stuck_ti`` writes them."""
        with transaction() as session:
            ti = self._ti(session)
            log = Log(event=seam.STUCK_IN_QUEUED, task_instance=ti if ROWS_ARE_TRIES else ti.key, extra="too long")
            session.add(log)
            session.execute(
                update(TaskInstance)
                .where(TaskInstance.id == ti.id)
                .values(state="scheduled")
                .execution_options(synchronize_session=False)
            )
        return self

    def expanded(self) -> Deployment:
        """The scheduler expands the mapped task."""
        task = self.serialized.get_task(self.task_id)
        with transaction() as session:
            if ROWS_ARE_TRIES:  # what the Dag file spells out, Airflow expands when it makes the run
                for ti in session.scalars(select(TaskInstance).where(self._here(), TaskInstance.map_index == -1)):
                    ti.task = task
                    ti.expand_mapped_task(session=session)
            else:
                from airflow.models.taskmap import TaskMap

                TaskMap.expand_mapped_task(task, self.run_id, session=session)
        return self

    # -- what is in the database

    def row(self, map_index: int = -1) -> Any:
        """Return the task instance as it is stored."""
        with transaction() as session:
            ti = self._ti(session, map_index)
            session.refresh(ti)
            session.expunge(ti)
        return ti

    def marker(self, map_index: int = -1) -> Marker:
        """Return what its row carries."""
        found = Marker.from_config(self.row(map_index).executor_config)
        assert found is not None
        return found

    def ledger(self, map_index: int = -1) -> Ledger:
        """Return its ledger as it is stored."""
        with transaction() as session:
            return Ledger.from_json(state_store.read_state(session, self._ti(session, map_index), KEY))

    def set_ledger(self, document: Any) -> Deployment:
        """Store something in place of the ledger."""
        with transaction() as session:
            state_store.write_state(session, self._ti(session), KEY, document)
        return self

    def set_marker_compute(self, compute: dict[str, Any]) -> Deployment:
        """Let its row name a compute of its own."""
        config = replace(self.marker(), compute=compute).to_config({})
        return self._update(-1, executor_config=config)

    def history(self) -> list[Any]:
        """Return the tries that have ended, oldest first."""
        with transaction() as session:
            rows = seam.ended_tries(session, self._ti(session))
            session.expunge_all()
        return list(rows)

    def _ti(self, session: Session, map_index: int = -1) -> Any:
        return session.scalars(select(TaskInstance).where(self._here(), TaskInstance.map_index == map_index)).one()

    def _here(self) -> Any:
        return and_(TaskInstance.dag_id == self.dag.dag_id, TaskInstance.task_id == self.task_id)

    def _dag_run(self, session: Session) -> Any:
        return session.scalars(select(DagRun).where(DagRun.dag_id == self.dag.dag_id)).one()

    def _update(self, map_index: int, **values: Any) -> Deployment:
        with transaction() as session:
            identity = self._ti(session, map_index).id
            session.execute(update(TaskInstance).where(TaskInstance.id == identity).values(**values))
        return self


@pytest.fixture(autouse=True)
def _active_observer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What made the observer give up in one test must not matter in the next."""
    monkeypatch.setattr(observer, "active", True)
    monkeypatch.setattr(complaints, "_counts", {})


@pytest.fixture
def deploy(database: None, parse: Callable[[DAG], DAG], configure: Callable[..., None]) -> Callable[..., Deployment]:
    """``deploy(retries=2, ...)``: a Dag with one annotated task, on two queues, deployed and not yet triggered."""
    configure(compute="queue", compute_options='{"spot": "cheap", "on_demand": "safe"}')

    def build(
        *,
        mapped: int = 0,
        teardown: bool = False,
        annotated: bool = True,
        dag: dict[str, Any] | None = None,
        **said: Any,
    ) -> Deployment:
        operator = BashOperator
        if annotated:
            operator = interruptible(BashOperator)
            said = {"interruptible": True, "retries": 2, "system_retries": 2, **said}
        with DAG(f"dag_{next(_numbers)}", schedule=None, **(dag or {})) as built:
            if mapped:
                operator.partial(task_id="work", **said).expand(bash_command=["true"] * mapped)
            else:
                task = operator(task_id="work", bash_command="true", **said)
                if teardown:
                    BashOperator(task_id="before", bash_command="true") >> task.as_teardown()
        return Deployment(parse(built)).deploy()

    return build


@pytest.fixture
def statements(database: None) -> Iterator[list[str]]:
    """The statements that reach the database, without savepoints and their time-outs, which SQLite has none of."""
    engine, seen = settings.get_engine(), []

    def remember(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE")) and "lock_" not in statement:
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", remember)
    yield seen
    event.remove(engine, "before_cursor_execute", remember)

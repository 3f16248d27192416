# SPDX-License-Identifier: Apache-2.0
"""Whatever the way to it: a row whose next attempt waits is placed for it, and no row depends on another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models.dag_version import DagVersion
from airflow.models.taskinstance import clear_task_instances
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from forged import FORGED

from airflow_interruptible import interruptible
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.ledger import KEY, Ledger, Record
from airflow_interruptible.marker import Marker
from airflow_interruptible.server import state_store
from airflow_interruptible.worker.book import Book

from .conftest import ROWS_ARE_TRIES, Deployment, transaction

if TYPE_CHECKING:
    from collections.abc import Callable

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
STARTED = "2026-01-01T00:00:00.000+00:00"
RUNNING = Record(SPOT, started=STARTED)
FAILED = Record(SPOT, Cause.APPLICATION, Charge.USER, started=STARTED, ended=STARTED)
INTERRUPTED = Record(SPOT, Cause.SPOT_INTERRUPTION, Charge.SYSTEM, started=STARTED, ended=STARTED)
SAYS_NO = {"interruptible": False}


def redeployed(deployment: Deployment, parse: Callable[[DAG], DAG], *task_ids: str, **said: Any) -> Deployment:
    """The same Dag after its file has changed."""
    with DAG(deployment.dag.dag_id, schedule=None) as built:
        for task_id in task_ids:
            interruptible(BashOperator)(task_id=task_id, bash_command="true", **{"interruptible": True, **said})
    return Deployment(parse(built), task_id=task_ids[-1]).deploy()


# -- every way to a next attempt


def test_a_try_that_fails_while_it_is_scheduled(deploy: Any) -> None:
    """The event of its executor comes after it was requeued."""
    deployment = deploy(system_retries=1).trigger().start_run().queue()._update(-1, state="scheduled").died()
    assert deployment.row().queue == "safe", "the system budget is spent"
    assert deployment.ledger().records[1].charge is Charge.SYSTEM


def test_what_the_run_says_outlives_a_failure_while_it_waits_and_a_clear(deploy: Any) -> None:
    deployment = deploy().trigger(SAYS_NO).start_run().run(record=replace(FAILED, capacity=ON_DEMAND)).reported()
    assert deployment.finished("failed").cleared().row().queue == "safe"


def test_a_clear_before_the_first_attempt_does_not_forget_what_the_run_says(deploy: Any) -> None:
    assert deploy().trigger(SAYS_NO).start_run().cleared().row().queue == "safe"


def test_a_task_that_a_running_run_has_got_since(deploy: Any, parse: Callable[[DAG], DAG]) -> None:
    """It is inserted past every session event."""
    deployment = redeployed(deploy().trigger(SAYS_NO).start_run(), parse, "work", "added")
    with transaction() as session:
        run = deployment._dag_run(session)
        run.dag = deployment.serialized
        version = DagVersion.get_latest_version(deployment.dag.dag_id, session=session)
        run.verify_integrity(session=session, dag_version_id=version.id)
    assert deployment.row().queue == "safe"


def test_first_attempts_cost_no_statement_each(deploy: Any, statements: list[str]) -> None:
    deployment = deploy(mapped=50).trigger(SAYS_NO)
    statements.clear()
    deployment.start_run()
    reading = [statement for statement in statements if statement.startswith("SELECT")]
    assert len(reading) <= 3


# -- a clear is an event


def test_a_clear_after_the_platform_forgives_less(deploy: Any, parse: Callable[[DAG], DAG]) -> None:
    """As many fewer as tries were made: Airflow's ``max_tries`` is the same before and after the clear."""
    before = deploy(retries=0, system_retries=3).trigger().start_run()
    before.run(record=replace(FAILED, capacity=ON_DEMAND)).finished("failed")
    after = redeployed(before, parse, "work", retries=0, system_retries=2)
    max_tries = before.row().max_tries
    with transaction() as session:
        clear_task_instances([after._ti(session)], session, run_on_latest_version=True)
    row, budget = after.row(), after.marker().budget
    assert row.max_tries == max_tries
    ledger = after.ledger().at(2, row.max_tries, budget)
    assert ledger.bases == (0, 1)
    assert not ledger.history(budget, True, before=2).account.exhausted


@pytest.mark.parametrize("state", ["success", "failed", "skipped", "upstream_failed"])
def test_a_clear_is_written_down_from_every_end(deploy: Any, state: str) -> None:
    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED).finished(state).cleared()
    assert deployment.ledger().bases == (0, 1)
    assert deployment.row().queue == "cheap"


@pytest.mark.parametrize("state", ["scheduled", "queued", "deferred", "up_for_reschedule"])
def test_a_clear_is_written_down_from_the_middle(deploy: Any, state: str) -> None:
    deployment = deploy(retries=1).trigger().start_run().run(record=RUNNING)
    deployment._update(-1, state=state, queued_by_job_id=7).cleared()
    assert deployment.ledger().bases == (0, 1)


def test_a_clear_of_a_running_task_is_written_down_again_when_it_has_gone(deploy: Any) -> None:
    """Its worker may have written the ledger as it knew it, since."""
    deployment = deploy(retries=1, system_retries=1).trigger().start_run().run(record=FAILED).reported()
    before = deployment.run(record=RUNNING).ledger()
    deployment.clear().set_ledger(before.to_json()).gone()
    assert deployment.ledger().base == 2


# -- no row depends on another


def test_a_row_that_cannot_be_placed_costs_no_other_row_its_place_or_its_budget(
    parse: Callable[[DAG], DAG], deploy: Any
) -> None:
    with DAG("poison", schedule=None) as built:
        for task_id in "abc":
            interruptible(BashOperator)(task_id=task_id, bash_command="true", interruptible=True, retries=2)
    first = Deployment(parse(built), task_id="a").deploy().trigger().start_run()
    tasks = {task_id: Deployment(first.dag, task_id=task_id) for task_id in "abc"}
    for task in tasks.values():
        task.serialized = first.serialized
        task.run(record=RUNNING)
    tasks["b"].set_marker_compute({"name": "gone"})
    for task_id in "ac":
        on_demand = replace(tasks[task_id].marker(), capacity=ON_DEMAND)
        tasks[task_id]._update(-1, queue="safe", executor_config=on_demand.to_config({}))
    with transaction() as session:
        clear_task_instances([task._ti(session) for task in tasks.values()], session)
    for task in tasks.values() if ROWS_ARE_TRIES else ():
        task.gone()
    assert {t: (task.row().queue, task.row().max_tries) for t, task in tasks.items() if t != "b"} == {
        "a": ("cheap", 1 + 2 + 3),
        "c": ("cheap", 1 + 2 + 3),
    }
    assert tasks["b"].row().state == (None if ROWS_ARE_TRIES else "restarting")


# -- what cannot be read, what cannot be kept, what nobody moved


@pytest.mark.parametrize("stored", [{"__airflow_ext_ref__": "s3://bucket/ledger"}, {"version": 2}, "rubbish"])
@pytest.mark.parametrize("end", ["died", "reported", "cleared", "orphaned", "stuck"])
def test_what_cannot_be_read_is_never_written_over(deploy: Any, stored: Any, end: str) -> None:
    deployment = deploy(retries=1).trigger().start_run().run().set_ledger(stored)
    getattr(deployment, end)()
    with transaction() as session:
        assert state_store.read_state(session, deployment._ti(session), KEY) == stored


ENDS = ("died", "reported", "cleared", "orphaned")
UNREADABLE: list[Any] = [
    *("rubbish", 7, True, [], {}, {"version": 2}, {"version": "1"}, {"__airflow_ext_ref__": "s3://bucket/ledger"}),
    {"version": 1, "max_tries": 4, "bases": [0], "attempts": [1, 2]},
    {"version": 1, "max_tries": 4, "bases": [0], "attempts": {"one": {}}},
    {"version": 1, "max_tries": 4, "bases": [0], "attempts": {"1": {"cause": "of a newer release"}}},
    {"version": 1, "max_tries": 4, "bases": [0, 9], "attempts": {}},
    {"version": 1, "max_tries": 4, "bases": [2, 1], "attempts": {}},
    *({"version": 1, "max_tries": 4, "bases": [0], "attempts": {}, missing: None} for missing in ("bases", "attempts")),
    *(document for document in FORGED if not isinstance(document, str)),
]


@pytest.mark.parametrize("document", UNREADABLE, ids=range(len(UNREADABLE)))
def test_both_sides_conclude_the_same_from_what_cannot_be_read(deploy: Any, document: Any) -> None:
    """Or they both can read it."""
    end = ENDS[UNREADABLE.index(document) % len(ENDS)]
    deployment = deploy(retries=2).trigger().start_run().run().set_ledger(document)
    getattr(deployment, end)()
    deployment = deployment.gone() if end == "cleared" and not ROWS_ARE_TRIES else deployment
    row = deployment.queue().row()
    with transaction() as session:
        stored = state_store.read_state(session, deployment._ti(session), KEY)
    context = {
        "ti": SimpleNamespace(
            **{name: getattr(row, name) for name in ("try_number", "max_tries", "queue", "map_index", "run_id")},
            dag_id=deployment.dag.dag_id,
            task_id="work",
        ),
        "task_state_store": {KEY: stored},
    }
    book = Book.open(deployment.dag.get_task("work"), context)
    assert book.history.next_placement.capacity.value == {"cheap": "spot", "safe": "on-demand"}[row.queue]
    assert not book.misplaced
    if stored == document and book.unread is not None:
        assert row.queue == "safe"
        assert book.history.attempts == ()
        assert not book.history.account.exhausted


def test_whoever_keeps_ledgers_elsewhere_has_them_placed_by_one_rule(
    deploy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker can read what the server cannot, and knows that."""
    monkeypatch.setenv("AIRFLOW__WORKERS__STATE_STORE_BACKEND", "ours.Store")
    deployment = deploy(retries=2).trigger().start_run()
    kept = Ledger(deployment.row().max_tries)
    for number in (1, 2, 3):
        row = deployment.run().row()
        ti = SimpleNamespace(
            try_number=number, max_tries=row.max_tries, queue=row.queue, map_index=-1, run_id="run", task_id="work",
            dag_id=deployment.dag.dag_id,
        )  # fmt: skip
        book = Book.open(deployment.dag.get_task("work"), {"ti": ti, "task_state_store": {KEY: kept.to_json()}})
        assert book.unread is None
        assert (book.placement.capacity.value, book.misplaced) == ("spot" if number == 1 else "on-demand", False)
        assert [attempt.charge for attempt in book.history.attempts] == [Charge.SYSTEM] * (number - 1)
        kept = kept.with_record(number, replace(INTERRUPTED, capacity=book.placement.capacity))
        deployment.set_ledger({"__airflow_ext_ref__": "s3://bucket/ledger"}).reported()
        assert deployment.row().queue == "safe"


def test_an_own_error_that_could_not_be_written_down_is_not_forgiven(deploy: Any) -> None:
    reason = "attempt 1 on spot failed (ValueError); charged to the author: user failure 1, 2 retries; next on spot"
    deployment = deploy().trigger().start_run().run(record=RUNNING).reported(reason=reason).queue()
    budget = deployment.marker().budget
    history = deployment.ledger().at(2, deployment.row().max_tries, budget).history(budget, True, before=2)
    assert history.account.user_failures == 1


def test_delays_of_silent_failures_count_the_author_s(deploy: Any) -> None:
    backoff = {"retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2.0}
    deployment = deploy(retries=3, system_retries=3, **backoff).trigger().start_run()
    for _ in range(3):
        deployment.run(record=INTERRUPTED).reported()
    row = deployment.run(record=replace(RUNNING, capacity=ON_DEMAND)).died().row()
    assert 10 <= row.retry_delay_override <= 20


def test_a_backlog_says_nothing_where_nothing_is_moved(deploy: Any, configure: Callable[..., None]) -> None:
    configure(compute="none", compute_options="{}")
    deployment = deploy().trigger().start_run().queue().stuck()
    assert deployment.ledger().records == {}
    assert deployment.marker().capacity is SPOT


LONG = {"name": "queue", "spot": "spot-workers", "on_demand": "d" * 300}
FORGED: list[Any] = [
    *(None, True, [], "spot", {}, {"capacity": "spot"}),
    {"interruptible": True, "capacity": "spot", "user_retries": 10**12, "system_retries": 1, "system_retry_delay": 0},
    *(
        {
            "interruptible": True,
            "capacity": "spot",
            "user_retries": 0,
            "system_retries": 1,
            "system_retry_delay": 10,
            "compute": compute,
        }
        for compute in (LONG, {"name": "queue", "spot": "a\0", "on_demand": "b\n"}, "queue", ["x"], {"name": ["x"]})
    ),
]


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("end", ["died", "reported", "cleared", "orphaned", "stuck"])
def test_a_forged_marker_costs_airflow_nothing(deploy: Any, forged: Any, end: str) -> None:
    """Whoever writes the Dag writes ``executor_config``."""
    deployment = deploy(retries=1).trigger().start_run().run(record=RUNNING)
    deployment._update(-1, executor_config={KEY: forged})
    getattr(deployment, end)()
    states = {
        "died": "up_for_retry", "reported": "up_for_retry", "orphaned": None, "stuck": "scheduled",
        "cleared": None if ROWS_ARE_TRIES else "restarting",
    }  # fmt: skip
    row = deployment.row()
    assert row.state == states[end]
    assert len(row.queue) <= 256


def test_a_value_that_airflow_could_not_keep_leaves_the_row_as_it_is(
    deploy: Any, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, warnings_of: Callable[[], list[str]]
) -> None:
    """Whatever compute it came from."""
    from airflow_interruptible.compute.queue import QueueCompute

    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED)
    monkeypatch.setattr(QueueCompute, "place", lambda self, slot, _: replace(slot, queue="d" * 257))
    row = deployment.reported().row()
    assert (row.queue, row.state) == ("cheap", "up_for_retry")
    assert Marker.from_config(row.executor_config) == deployment.marker()
    assert len(warnings_of()) == 1

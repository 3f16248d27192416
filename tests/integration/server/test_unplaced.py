# SPDX-License-Identifier: Apache-2.0
"""An attempt whose pod was never placed ends as the scheduler ends one: its own function, our reason."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import pytest
from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.classification import Classification
from airflow_interruptible.server import unplaced
from airflow_interruptible.server.seam import SeamChangedError

if TYPE_CHECKING:
    from airflow_interruptible.server.seam import Key

OURS, OTHER = 7, 8
WHY = Classification(Cause.NO_CAPACITY, "k8s/unschedulable-on-spot", "no spot node within 300 s")


def key_of(deployment: Any) -> Key:
    return deployment.dag.dag_id, deployment.task_id, deployment.run_id, -1


def queued(deploy: Any, **arguments: Any) -> Any:
    return deploy(**arguments).trigger().start_run().queue()._update(-1, queued_by_job_id=OURS)


def test_the_attempt_is_charged_and_the_next_one_goes_on_demand(deploy: Any) -> None:
    deployment = queued(deploy)
    assert unplaced.end(key_of(deployment), 1, OURS, WHY)
    record = deployment.ledger().records[1]
    assert (record.cause, record.charge, record.rule) == (Cause.NO_CAPACITY, Charge.SYSTEM, WHY.rule)
    assert (record.capacity, record.started) == (CapacityType.SPOT, None)
    row = deployment.row()
    assert (row.state, row.queue, deployment.marker().capacity) == ("up_for_retry", "safe", CapacityType.ON_DEMAND)
    assert WHY.reason in row.retry_reason
    assert row.retry_delay_override == 0.0


def test_the_try_is_kept_as_it_was(deploy: Any) -> None:
    deployment = queued(deploy)
    unplaced.end(key_of(deployment), 1, OURS, WHY)
    (kept,) = deployment.history()
    assert (kept.try_number, kept.state, kept.queue) == (1, "failed", "cheap")


def test_without_a_system_budget_the_author_pays(deploy: Any) -> None:
    deployment = queued(deploy, system_retries=0)
    unplaced.end(key_of(deployment), 1, OURS, WHY)
    assert deployment.ledger().records[1].charge is Charge.USER
    assert deployment.marker().capacity is CapacityType.ON_DEMAND


@pytest.mark.parametrize(
    "change",
    [
        {"state": "running"},
        {"state": None},
        {"try_number": 2},
        {"queued_by_job_id": OTHER},
        {"next_method": "execute_complete"},
    ],
)
def test_a_try_that_does_not_wait_is_left_alone(deploy: Any, change: dict[str, Any]) -> None:
    """A worker took it, a person cleared it, another scheduler has it, or it comes back from a trigger."""
    deployment = queued(deploy)._update(-1, **change)
    before = deployment.row()
    assert not unplaced.waits(key_of(deployment), 1, OURS)
    assert unplaced.end(key_of(deployment), 1, OURS, WHY)
    assert (deployment.row().state, deployment.ledger().records) == (before.state, {})


def test_a_try_of_a_dag_that_is_gone_needs_nothing() -> None:
    assert unplaced.end(("no", "such", "task", -1), 1, OURS, WHY)


def test_what_is_known_is_known_to_that_session_only(deploy: Any) -> None:
    deployment = queued(deploy)
    deployment.died()
    assert deployment.ledger().records[1].cause is Cause.INFRASTRUCTURE


def test_this_airflow_is_one_that_we_know() -> None:
    unplaced.check()


def test_another_signature_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SchedulerJobRunner, "process_executor_events", lambda executor: 0)
    with pytest.raises(SeamChangedError, match="process_executor_events takes executor"):
        unplaced.check()


def test_parameters_that_may_be_left_out_are_no_other_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    def later(executor: Any, job_id: Any, scheduler_dag_bag: Any, session: Any, eager: bool = False) -> int:
        return 0

    def stricter(executor: Any, job_id: Any, scheduler_dag_bag: Any, session: Any, eager: bool) -> int:
        return 0

    monkeypatch.setattr(SchedulerJobRunner, "process_executor_events", later)
    unplaced.check()
    monkeypatch.setattr(SchedulerJobRunner, "process_executor_events", stricter)
    with pytest.raises(SeamChangedError, match=r"takes .*, eager"):
        unplaced.check()


def test_a_name_of_tries_that_has_moved_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseExecutor, "get_task_key", lambda ti: None, raising=False)
    monkeypatch.setitem(sys.modules, "airflow.executors.workloads.types", None)
    with pytest.raises(SeamChangedError, match="name of a try in executor events has moved"):
        unplaced.check()


def test_a_try_whose_row_is_held_is_ended_later(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Airflow 3.4 does with a row that another transaction has locked: the event goes back to its executor."""
    deployment, other = queued(deploy), queued(deploy)
    process = SchedulerJobRunner.process_executor_events

    def held(executor: Any, *_: Any) -> int:
        executor.event_buffer.update(dict(executor.get_event_buffer()))
        return 0

    monkeypatch.setattr(SchedulerJobRunner, "process_executor_events", held)
    assert not unplaced.end(key_of(deployment), 1, OURS, WHY)
    monkeypatch.setattr(SchedulerJobRunner, "process_executor_events", process)
    assert unplaced.end(key_of(other), 1, OURS, WHY)
    assert deployment.row().state == "queued", "it is not ended for another's reason"
    assert unplaced.end(key_of(deployment), 1, OURS, WHY)


def test_a_function_that_has_moved_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(SchedulerJobRunner, "process_executor_events")
    with pytest.raises(SeamChangedError, match="has moved"):
        unplaced.check()


def test_the_scheduler_says_what_the_executor_said_as_we_know() -> None:
    """The words are cut out of its message."""
    source = inspect.getsource(SchedulerJobRunner.process_executor_events)
    assert 'msg += " Extra info: %s" % info' in source
    assert 'Log(event="state mismatch", extra=msg' in source

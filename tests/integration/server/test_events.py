# SPDX-License-Identifier: Apache-2.0
"""Every way an attempt can end, as the metadata database sees it, and where the next one goes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.ledger import Record
from airflow_interruptible.server import seam, state_store
from airflow_interruptible.server.install import observer

from .conftest import ROWS_ARE_TRIES

if TYPE_CHECKING:
    from collections.abc import Callable

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
STARTED = "2026-01-01T00:00:00.000+00:00"
RUNNING = Record(SPOT, started=STARTED)
INTERRUPTED = Record(SPOT, Cause.SPOT_INTERRUPTION, started=STARTED)
FAILED = Record(SPOT, Cause.APPLICATION, started=STARTED)


def where(deployment: Any, map_index: int = -1) -> tuple[str, CapacityType]:
    """The queue of the next attempt, and what its marker says."""
    return deployment.row(map_index).queue, deployment.marker(map_index).capacity


ON_SPOT = ("cheap", SPOT)
ON_SAFE = ("safe", ON_DEMAND)


# -- D1: the worker reported it


def test_a_forgiven_attempt_is_followed_by_one_on_spot(deploy: Any) -> None:
    deployment = deploy().trigger().start_run().run(record=INTERRUPTED).reported()
    assert where(deployment) == ON_SPOT


def test_the_last_user_attempt_goes_on_demand(deploy: Any) -> None:
    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED).reported()
    assert where(deployment) == ON_SAFE


def test_the_try_that_ended_keeps_its_own_place(deploy: Any) -> None:
    """The UI and the REST API read it from there."""
    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED).reported()
    (ended,) = deployment.history()
    assert (ended.try_number, ended.queue, ended.executor_config["interruptible"]["capacity"]) == (1, "cheap", "spot")


def test_what_the_worker_decided_stays(deploy: Any) -> None:
    deployment = deploy().trigger().start_run().run(record=INTERRUPTED).reported(delay=7.0, reason="because")
    row = deployment.row()
    assert (row.state, row.retry_delay_override, row.retry_reason) == ("up_for_retry", 7.0, "because")
    assert deployment.ledger().records[1] == INTERRUPTED


def test_a_whole_story(deploy: Any) -> None:
    """U = 2, S = 2: I A I A A, and where each attempt ran."""
    deployment = deploy().trigger().start_run()
    queues = []
    for record in (INTERRUPTED, FAILED, INTERRUPTED, FAILED):
        queues.append(deployment.row().queue)
        deployment.run(record=record).reported()
    queues.append(deployment.row().queue)
    assert queues == ["cheap", "cheap", "cheap", "safe", "safe"]
    assert [row.queue for row in deployment.history()] == queues[:4]


def test_a_try_that_the_worker_reported_is_no_silence(deploy: Any) -> None:
    """Its ledger was out of reach. That is no reason to call an application error an interruption."""
    deployment = deploy().trigger().start_run().run(record=RUNNING).reported(delay=60.0, reason="rate limit")
    row = deployment.row()
    assert (row.retry_delay_override, row.retry_reason) == (60.0, "rate limit")
    assert deployment.ledger().records[1].charge is not Charge.SYSTEM


# -- D2: nobody reported it


def test_a_silent_death_on_spot_is_forgiven(deploy: Any) -> None:
    deployment = deploy().trigger().start_run().run(record=RUNNING).died()
    assert where(deployment) == ON_SPOT
    record = deployment.ledger().records[1]
    assert (record.cause, record.charge) == (None, Charge.SYSTEM), "the cause stays open, for later evidence"
    assert record.ended is not None
    assert record.started == STARTED


def test_the_delay_and_the_reason_are_ours(deploy: Any) -> None:
    deployment = deploy().trigger().start_run().run(record=RUNNING).died()
    row, (ended,) = deployment.row(), deployment.history()
    assert row.state == "up_for_retry"
    assert row.retry_delay_override == 0.0
    assert row.retry_reason == ended.retry_reason
    assert row.retry_reason == (
        "attempt 1 on spot interrupted (nobody reported its end); forgiven: system retry 1 of 2; "
        "next on spot since the task is interruptible"
    )


def test_silent_deaths_in_a_row_wait_and_then_go_on_demand(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_interruptible.server.placing._random.random", lambda: 0.5)
    deployment = deploy(system_retry_delay=60).trigger().start_run()
    delays = []
    for _ in range(2):
        deployment.run(record=RUNNING).died()
        delays.append(deployment.row().retry_delay_override)
    assert delays == [0.0, 30.0]
    assert where(deployment) == ON_SAFE


def test_a_silent_death_on_demand_is_the_author_s(deploy: Any) -> None:
    deployment = deploy(interruptible=False, retries=1).trigger().start_run()
    deployment.run(record=Record(ON_DEMAND, started=STARTED)).died()
    row = deployment.row()
    assert deployment.ledger().records[1].charge is Charge.USER
    assert row.retry_delay_override is None, "the author's own delay applies"
    assert where(deployment) == ON_SAFE


def test_a_silent_death_that_spends_the_budget_is_not_waited_for(deploy: Any) -> None:
    """The next attempt fails at once, with the reason."""
    deployment = deploy(retries=0).trigger().start_run().run(record=Record(ON_DEMAND, started=STARTED)).died()
    row = deployment.row()
    assert row.retry_delay_override == 0.0
    assert "no retries left" in row.retry_reason


def test_a_death_before_the_first_line_never_started(deploy: Any) -> None:
    deployment = deploy().trigger().start_run().run().died()
    assert "lost to the infrastructure" in deployment.row().retry_reason
    assert deployment.ledger().records[1].charge is Charge.SYSTEM


def test_a_death_after_the_report_is_no_second_one(deploy: Any) -> None:
    """The worker wrote down why, and died before it could tell the API server."""
    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED).died()
    assert deployment.ledger().records[1] == FAILED
    assert where(deployment) == ON_SAFE


def test_a_death_in_the_queue_is_kept_like_any_other(deploy: Any) -> None:
    """Airflow alone keeps no row of it, so the try would be missing in the UI."""
    deployment = deploy().trigger().start_run().queue()
    queued = deployment.row()
    deployment.died()
    row = deployment.row()
    (kept,) = deployment.history()
    assert (kept.try_number, kept.state, kept.queue) == (1, "failed", queued.queue)
    identity = kept.id if ROWS_ARE_TRIES else kept.task_instance_id
    assert (identity, kept.retry_reason) == (queued.id, row.retry_reason)
    assert row.id != queued.id, "a pod of the lost try cannot pass for the next one"
    assert row.state == "up_for_retry"
    assert (row.retry_delay_override, deployment.ledger().records[1].cause) == (0.0, Cause.INFRASTRUCTURE)
    assert "lost to the infrastructure" in row.retry_reason
    assert where(deployment) == ON_SPOT


def test_deaths_in_the_queue_spend_the_system_budget(deploy: Any) -> None:
    deployment = deploy().trigger().start_run()
    for _ in range(2):
        deployment.queue().died()
    assert where(deployment) == ON_SAFE


def test_an_orphan_is_lost_to_the_infrastructure(deploy: Any) -> None:
    deployment = deploy(system_retries=1).trigger().start_run().run(record=RUNNING).orphaned()
    assert deployment.ledger().records[1].cause is Cause.INFRASTRUCTURE
    assert deployment.ledger().records[1].charge is Charge.SYSTEM
    assert where(deployment) == ON_SAFE, "nothing is left to forgive"


def test_an_orphan_in_the_queue(deploy: Any) -> None:
    deployment = deploy().trigger().start_run().queue().orphaned()
    assert deployment.ledger().records[1].charge is Charge.SYSTEM
    assert deployment.row().state is None


# -- no capacity


def test_a_try_that_no_spot_machine_was_found_for_goes_on_demand(deploy: Any) -> None:
    deployment = deploy().trigger().start_run().queue().stuck()
    assert where(deployment) == ON_SAFE
    assert deployment.row().try_number == 1
    record = deployment.ledger().records[1]
    assert (record.capacity, record.cause, record.charge) == (ON_DEMAND, None, None), "it has not failed"
    assert "no spot capacity" in str(record.reason)


def test_a_deferred_try_that_is_stuck_keeps_what_is_known_of_it(deploy: Any) -> None:
    """It has begun, and waits in the queue to go on."""
    begun = replace(RUNNING, where={"host": "h", "launched_pod": "p"})
    deployment = deploy().trigger().start_run().run(record=begun).finished("queued").stuck()
    record = deployment.ledger().records[1]
    assert (record.capacity, record.started, record.where) == (ON_DEMAND, begun.started, begun.where)


def test_the_attempt_after_it_is_on_spot_again(deploy: Any) -> None:
    deployment = deploy().trigger().start_run().queue().stuck()
    deployment.report(Record(ON_DEMAND, Cause.INFRASTRUCTURE, started=STARTED))
    assert where(deployment.finished("running").reported()) == ON_SPOT


def test_a_try_that_is_on_demand_already_stays_there(deploy: Any) -> None:
    deployment = deploy(interruptible=False).trigger().start_run().queue().stuck()
    assert where(deployment) == ON_SAFE
    assert deployment.ledger().records == {}


# -- people


def test_clearing_a_running_task_starts_both_budgets_afresh(deploy: Any) -> None:
    deployment = deploy(retries=1, system_retries=1).trigger().start_run().run(record=FAILED).reported()
    assert where(deployment) == ON_SAFE
    deployment.run(record=Record(ON_DEMAND, started=STARTED)).cleared()
    row = deployment.row()
    assert (row.state, row.max_tries) == (None if ROWS_ARE_TRIES else "restarting", 4)
    assert where(deployment) == ON_SPOT
    ledger = deployment.ledger()
    assert (ledger.records[2].cause, ledger.records[2].charge) == (Cause.USER_ACTION, Charge.NONE)
    assert ledger.records[2].started == STARTED
    assert ledger.bases == (0, 2)


def test_clearing_a_finished_task_starts_both_budgets_afresh(deploy: Any) -> None:
    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED).reported().run(record=FAILED)
    deployment.finished("failed").cleared()
    assert where(deployment) == ON_SPOT
    assert deployment.row().max_tries == 2 + 3
    assert deployment.ledger().records[2] == FAILED, "what a person clears is not judged"


def test_clearing_a_task_that_waits_for_its_retry(deploy: Any) -> None:
    """Airflow has written the history row already, and writes none now."""
    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED).reported().cleared()
    assert where(deployment) == ON_SPOT


@pytest.mark.parametrize("conf", [{"interruptible": False}])
def test_clearing_does_not_forget_what_the_run_says(deploy: Any, conf: dict[str, Any]) -> None:
    deployment = deploy(retries=1).trigger(conf).start_run().run(record=Record(ON_DEMAND, started=STARTED))
    assert where(deployment.finished("success").cleared()) == ON_SAFE


def test_clearing_a_waiting_task_does_not_forget_what_the_run_says(deploy: Any) -> None:
    waiting = deploy(retries=1).trigger({"interruptible": False}).start_run().run(record=FAILED).reported().cleared()
    assert where(waiting) == ON_SAFE


# -- the run


def test_a_run_moves_first_attempts(deploy: Any) -> None:
    deployment = deploy().trigger({"interruptible": False})
    assert where(deployment) == ON_SPOT, "placed when the Dag was parsed"
    assert where(deployment.start_run()) == ON_SAFE


def test_a_run_may_ask_for_spot(deploy: Any) -> None:
    assert where(deploy(interruptible=False).trigger({"interruptible": True}).start_run()) == ON_SPOT


@pytest.mark.parametrize("conf", [None, {}, {"other": 1}, {"interruptible": None}])
def test_a_run_that_says_nothing_moves_nothing(deploy: Any, conf: dict[str, Any] | None) -> None:
    assert where(deploy().trigger(conf).start_run()) == ON_SPOT


def test_a_run_that_says_nonsense_needs_no_spot_machine(deploy: Any) -> None:
    """The worker refuses to run it."""
    assert where(deploy().trigger({"interruptible": "yes"}).start_run()) == ON_SAFE


def test_the_run_counts_for_later_attempts_too(deploy: Any) -> None:
    deployment = deploy().trigger({"interruptible": False}).start_run()
    deployment.run(record=Record(ON_DEMAND, Cause.INFRASTRUCTURE, started=STARTED)).reported()
    assert where(deployment) == ON_SAFE


def test_the_run_does_not_move_a_teardown_to_spot(deploy: Any) -> None:
    """It asks only its own argument: what the worker resolves must be what the server does."""
    deployment = deploy(interruptible=None, teardown=True, dag={"default_args": {"interruptible": True}})
    assert where(deployment.trigger({"interruptible": True}).start_run()) == ON_SAFE


# -- mapped tasks


def test_mapped_instances_follow_the_run(deploy: Any) -> None:
    deployment = deploy(mapped=3).trigger({"interruptible": False}).start_run().expanded()
    assert [where(deployment, index) for index in range(3)] == [ON_SAFE] * 3


def test_mapped_instances_without_a_word_from_the_run(deploy: Any) -> None:
    deployment = deploy(mapped=3).trigger().start_run().expanded()
    assert [where(deployment, index) for index in range(3)] == [ON_SPOT] * 3


def test_mapped_instances_have_budgets_of_their_own(deploy: Any) -> None:
    deployment = deploy(mapped=2, retries=1).trigger().start_run().expanded()
    deployment.run(0, FAILED).reported(0)
    deployment.run(1, INTERRUPTED).reported(1)
    assert [where(deployment, index) for index in range(2)] == [ON_SAFE, ON_SPOT]


# -- everybody else


def test_a_task_that_is_not_ours_costs_no_statement(
    deploy: Any, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def story() -> list[str]:
        deployment = deploy(annotated=False, retries=5).trigger()
        statements.clear()
        deployment.start_run().run().died().run().reported().queue().died().run().orphaned().run().cleared()
        return list(statements)

    with_us = story()
    monkeypatch.setattr(observer, "active", False)
    assert sorted(with_us) == sorted(story()), "what Airflow reads anyway may be read earlier"


def test_a_task_that_is_not_ours_and_stuck_costs_at_most_one(
    deploy: Any, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Log row does not say whose it is. Airflow writes one after ``task_queued_timeout``, 10 minutes, or later."""

    def count() -> int:
        deployment = deploy(annotated=False).trigger().start_run().queue()
        statements.clear()
        deployment.stuck()
        return len(statements)

    with_us = count()
    monkeypatch.setattr(observer, "active", False)
    assert with_us - count() <= 1


def test_a_task_of_ours_costs_a_handful(deploy: Any, statements: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def count(*, active: bool) -> int:
        deployment = deploy().trigger().start_run().run(record=INTERRUPTED)
        monkeypatch.setattr(observer, "active", active)
        statements.clear()
        deployment.reported()
        return len(statements)

    assert count(active=True) - count(active=False) <= 3


def test_an_error_of_ours_does_not_fail_the_transaction(
    deploy: Any, warnings_of: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deploy().trigger().start_run().run(record=INTERRUPTED)

    def explode(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(state_store, "read_state", explode)
    deployment.reported()
    monkeypatch.undo()
    assert deployment.row().state == "up_for_retry"
    assert len(deployment.history()) == 1
    assert len(warnings_of()) == 1


def test_settings_that_are_wrong_do_not_fail_the_transaction(
    deploy: Any, configure: Callable[..., None], warnings_of: Callable[[], list[str]]
) -> None:
    deployment = deploy().trigger().start_run().run(record=FAILED)
    configure(compute="no such compute")
    deployment.reported()
    assert deployment.row().state == "up_for_retry"
    assert len(warnings_of()) == 1


def test_one_task_with_a_wrong_compute_does_not_stop_the_others(
    deploy: Any, warnings_of: Callable[[], list[str]]
) -> None:
    """Its Dag was parsed where that compute exists; this scheduler may be older."""
    broken = deploy(retries=1).trigger().start_run().run(record=FAILED)
    broken.set_marker_compute({"name": "of the future"}).died()
    assert broken.row().state == "up_for_retry"
    assert len(warnings_of()) == 1
    fine = deploy(retries=1).trigger().start_run().run(record=FAILED).reported()
    assert where(fine) == ON_SAFE


def test_an_airflow_that_we_do_not_know_is_left_alone(
    deploy: Any, warnings_of: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED)
    monkeypatch.setattr(seam, "_TRY_COLUMNS", {"zodiac"})
    seam.models.cache_clear()
    try:
        deployment.reported().run().died()
    finally:
        monkeypatch.undo()
        seam.models.cache_clear()
    assert len(deployment.history()) == 2
    assert deployment.row().queue == "cheap"
    (warning,) = warnings_of()
    assert "TaskInstance has no zodiac" in warning


def test_rubbish_in_the_ledger_leads_on_demand_soonest(deploy: Any, warnings_of: Callable[[], list[str]]) -> None:
    """Nobody knows what the attempts were: taken as the author's, they cannot make the task loop on spot."""
    deployment = deploy(retries=1).trigger().start_run().run().set_ledger("rubbish").died()
    assert where(deployment) == ON_SAFE
    assert len(warnings_of()) == 1


# -- what the scheduler itself says


def test_a_scheduler_is_told_by_its_heartbeat(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``run_job`` and ``perform_heartbeat`` write it; the jobs of other components say nothing."""
    from airflow.jobs.job import Job, perform_heartbeat
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    from airflow_interruptible.server import events

    beats: list[int] = []
    monkeypatch.setattr(events.spot_timeout, "beat", beats.append)
    monkeypatch.setattr(events.lookout, "beat", beats.append)
    monkeypatch.setattr(events.never_started, "beat", beats.append)
    jobs = {}
    for kind in (SchedulerJobRunner.job_type, "TriggererJob"):
        job = Job(job_type=kind, heartrate=0)
        job.prepare_for_execution()
        jobs[kind] = job
        for _ in range(3):
            perform_heartbeat(job, lambda session: None, only_if_necessary=False)
    assert set(beats) == {jobs["SchedulerJob"].id}


def test_what_the_executor_said_is_the_last_resort(deploy: Any) -> None:
    deployment = (
        deploy(interruptible=False, retries=1).trigger().start_run().run(record=Record(ON_DEMAND, started=STARTED))
    )
    deployment.died(said="Pod failed because of NodeShutdown")
    record = deployment.ledger().records[1]
    assert (record.cause, record.charge, record.rule) == (Cause.INFRASTRUCTURE, Charge.SYSTEM, "k8s/shutdown-bare")


def test_words_that_no_rule_understands_change_nothing(deploy: Any) -> None:
    deployment = deploy().trigger().start_run().run(record=RUNNING).died(said="Pod failed because of None")
    record = deployment.ledger().records[1]
    assert (record.cause, record.rule) == (None, None), "the next attempt may find out"

# SPDX-License-Identifier: Apache-2.0
"""``airflow interruptible attempts``, from the database to the screen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete

from airflow_interruptible.cli import main
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.witness import TAKEN_AWAY, WITHOUT_US
from airflow_interruptible.ledger import Record
from airflow_interruptible.server import state_store
from airflow_interruptible.server.install import observer

from .conftest import transaction

if TYPE_CHECKING:
    from collections.abc import Callable

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
STARTED = "2026-01-01T00:00:00.000+00:00"
RUNNING = Record(SPOT, started=STARTED)
INTERRUPTED = Record(SPOT, Cause.SPOT_INTERRUPTION, Charge.SYSTEM, started=STARTED)
FAILED = Record(SPOT, Cause.APPLICATION, Charge.USER, started=STARTED)


@pytest.fixture
def attempts(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    def read(deployment: Any, *arguments: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        main(["attempts", deployment.dag.dag_id, "run", "work", *arguments, "--output", "json"])
        answer: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return answer

    return read


def short(answer: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(a["attempt"], a["capacity"], a["cause"], a["charge"]) for a in answer]


def test_nothing_has_run_yet(deploy: Any, attempts: Any) -> None:
    assert attempts(deploy().trigger().start_run()) == []


def test_interruption_error_death_success(deploy: Any, attempts: Any) -> None:
    deployment = deploy().trigger().start_run()
    deployment.run(record=INTERRUPTED).reported().run(record=FAILED).reported().run(record=RUNNING).died()
    deployment.run(record=Record(ON_DEMAND, started=STARTED)).finished("success")
    answer = attempts(deployment)
    assert short(answer) == [
        (1, "spot", "spot_interruption", "system"),
        (2, "spot", "application", "user"),
        (3, "spot", "spot_interruption", "system"),
        (4, "on-demand", None, "none"),
    ]
    assert [a["state"] for a in answer] == ["failed", "failed", "failed", "success"]
    assert (answer[-1]["user_retries_left"], answer[-1]["system_retries_left"]) == (1, 0)
    assert answer[0]["host"] == "h"


def test_a_death_is_known_before_the_next_attempt_runs(deploy: Any, attempts: Any) -> None:
    (answer,) = attempts(deploy().trigger().start_run().run(record=RUNNING).died())
    assert (answer["cause"], answer["charge"]) == ("spot_interruption", "system")
    assert "nobody reported its end" in answer["reason"]


def test_a_death_in_the_queue_is_an_attempt_too(deploy: Any, attempts: Any) -> None:
    deployment = deploy().trigger().start_run().queue().died()
    assert short(attempts(deployment)) == [(1, "spot", "infrastructure", "system")]
    assert short(attempts(deployment.run(record=RUNNING))) == [
        (1, "spot", "infrastructure", "system"),
        (2, "spot", None, None),
    ]


def test_a_try_that_never_ran_is_not_taken_for_that_of_a_worker_without_us(
    deploy: Any, attempts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker wrote of the try before still stands in Airflow's row. No server of ours has judged this one."""
    deployment = deploy(retries=1, system_retries=0).trigger().start_run().run(record=FAILED).reported()
    monkeypatch.setattr(observer, "active", False)
    told = attempts(deployment.queue().died())
    assert short(told) == [(1, "spot", "application", "user"), (2, "on-demand", "infrastructure", "user")]
    assert [(one["start"] is None, one["host"], one["reason"]) for one in told][1] == (True, None, None)


def test_a_clear_that_takes_the_history_away_names_no_worker(deploy: Any, attempts: Any) -> None:
    """Airflow 3.4 discards the task state with a clear, unless it is told to keep it."""
    deployment = deploy(retries=0, system_retries=0).trigger().start_run()
    deployment.run(record=replace(FAILED, capacity=ON_DEMAND)).finished("failed").clear()
    with transaction() as session:
        session.execute(delete(state_store.stored_states()))
    (told, _) = attempts(deployment.run(record=RUNNING))
    assert (told["cause"], told["charge"], told["reason"]) == ("unknown", "user", TAKEN_AWAY)


@pytest.mark.parametrize(("minutes", "cause", "charge"), [(1, "infrastructure", "system"), (5, "unknown", "user")])
def test_a_worker_without_us_is_named_though_it_died_silently(
    deploy: Any, attempts: Any, minutes: int, cause: str, charge: str
) -> None:
    """Once it was heard of for longer than ours need to write their first word."""
    began = datetime.now(timezone.utc) - timedelta(minutes=6)
    heard = began + timedelta(minutes=minutes)
    deployment = deploy().trigger().start_run().run()._update(-1, start_date=began, last_heartbeat_at=heard).died()
    (told,) = attempts(deployment)
    assert (told["cause"], told["charge"]) == (cause, charge)
    assert (WITHOUT_US in told["reason"]) is (cause == "unknown")
    book = deployment.ledger().at(2, deployment.row().max_tries, deployment.marker().budget)
    history = book.history(deployment.marker().budget, True, before=2)
    assert [(one.cause.value, one.charge.value) for one in history.attempts] == [(cause, charge)]


def test_a_clear_is_nobody_s_failure(deploy: Any, attempts: Any) -> None:
    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED).reported()
    deployment.run(record=Record(ON_DEMAND, started=STARTED)).cleared()
    answer = attempts(deployment)
    assert short(answer) == [(1, "spot", "application", "user"), (2, "on-demand", "user_action", "none")]
    assert answer[1]["reason"] == "cleared by a person"


def test_a_mapped_instance_has_attempts_of_its_own(deploy: Any, attempts: Any) -> None:
    deployment = deploy(mapped=2).trigger().start_run().expanded().run(1, FAILED).reported(1)
    assert attempts(deployment, "--map-index", "0") == []
    assert short(attempts(deployment, "--map-index", "1")) == [(1, "spot", "application", "user")]


def test_a_task_that_is_not_annotated(deploy: Any, attempts: Any) -> None:
    deployment = deploy(annotated=False, retries=1).trigger().start_run().run().died()
    (answer,) = attempts(deployment)
    assert (answer["state"], answer["capacity"], answer["charge"]) == ("failed", None, None)


@pytest.mark.parametrize(("arguments", "said"), [([], ""), (["--map-index", "7"], ", map index 7")])
def test_a_task_instance_that_is_not_there(database: None, arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["attempts", "no_dag", "no_run", "no_task", *arguments])
    assert f"There is no task instance no_dag.no_task in run 'no_run'{said}." in str(ended.value.code)


def test_a_ledger_that_cannot_be_read_is_said_in_one_line(deploy: Any) -> None:
    deployment = deploy().trigger().start_run().run().set_ledger("rubbish")
    with pytest.raises(SystemExit) as ended:
        main(["attempts", deployment.dag.dag_id, "run", "work"])
    assert "is not a ledger" in str(ended.value.code)
    assert "\n" not in str(ended.value.code)

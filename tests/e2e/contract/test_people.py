"""What a person does is never taken for a failure, and what the author's code does never for an interruption."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from e2e.contract.play import TASK, attempts, raw_log, rest_capacities, take_away, wait_for_log

if TYPE_CHECKING:
    from airflow_interruptible.testing import DagRun, SpotLab

pytestmark = pytest.mark.e2e


def started(lab: SpotLab, dag_id: str, script: dict[str, str]) -> DagRun:
    run = lab.trigger(dag_id, conf={"script": script})
    lab.wait_until_running(run, TASK, try_number=1)
    wait_for_log(lab, run, TASK, 1, "plays")
    return run


@pytest.mark.parametrize("step", ["swallow", "swallow everything"])
def test_code_cannot_swallow_an_interruption(lab: SpotLab, step: str) -> None:
    """``except Exception: pass`` around everything, and even ``except BaseException: return``, is no success."""
    run = lab.trigger("u2_s3", conf={"script": {"1": step}})
    take_away(lab, run, 1)
    lab.client.wait_for_run(run)
    first, second = attempts(lab, run)
    assert (first["state"], first["cause"], first["charge"]) == ("failed", "spot_interruption", "system")
    assert second["state"] == "success"


def test_spot_words_in_an_exception_are_the_authors(lab: SpotLab) -> None:
    """The exception that the scripted error raises is full of spot vocabulary."""
    run = lab.trigger("u1_s3", conf={"script": {"1": "error"}})
    lab.client.wait_for_run(run)
    first = attempts(lab, run)[0]
    assert (first["cause"], first["charge"]) == ("application", "user")


def test_clearing_a_running_task_starts_both_budgets_afresh(lab: SpotLab) -> None:
    """The attempt that the person ended is charged to nobody."""
    run = started(lab, "u2_s3", {"1": "wait", "2": "wait"})
    lab.client.clear(run, TASK)
    take_away(lab, run, 2)
    lab.client.wait_for_run(run)
    first, second, third = attempts(lab, run)
    assert (first["cause"], first["charge"]) == ("user_action", "none")
    assert (second["cause"], second["charge"], second["system_retries_left"]) == ("spot_interruption", "system", 2)
    assert (third["state"], third["user_retries_left"]) == ("success", 2)


@pytest.mark.parametrize("state", ["failed", "success"])
def test_marking_a_running_task_is_charged_to_nobody(lab: SpotLab, state: str) -> None:
    """The worker is told to stop by the server, which looks like a reclaim from inside the task."""
    run = started(lab, "u2_s3", {"1": "wait"})
    lab.client.mark(run, TASK, state)
    ended = lab.client.wait_for_run(run)
    assert ended.state == state
    (only,) = attempts(lab, run)
    assert only["charge"] == "none"
    assert (only["user_retries_left"], only["system_retries_left"]) == (2, 3)


def test_clearing_a_failed_task_goes_back_to_spot(lab: SpotLab) -> None:
    """Attempts 1 to 3 spent everything; attempt 4 is a first attempt again."""
    run = lab.trigger("u2_s3", conf={"script": {"1": "error", "2": "error", "3": "error"}})
    lab.client.wait_for_run(run)
    lab.client.clear(run, TASK)
    lab.client.wait_for_run(run)
    assert rest_capacities(lab, run) == ["spot", "spot", "on-demand", "spot"]
    last = attempts(lab, run)[-1]
    assert (last["attempt"], last["user_retries_left"], last["system_retries_left"]) == (4, 2, 3)


@pytest.mark.parametrize(
    ("dag_id", "said", "capacity"), [("not_interruptible", True, "spot"), ("u2_s3", False, "on-demand")]
)
def test_the_run_overrules_the_file(lab: SpotLab, dag_id: str, said: bool, capacity: str) -> None:
    """``dag_run.conf["interruptible"]`` is the strongest level, from the first attempt on."""
    run = lab.trigger(dag_id, conf={"interruptible": said, "script": {"1": "error"}})
    lab.client.wait_for_run(run)
    assert rest_capacities(lab, run) == [capacity, capacity]


def test_a_conf_that_cannot_be_meant_fails_the_task_clearly(lab: SpotLab) -> None:
    """And at once, without spending a retry."""
    run = lab.trigger("u2_s3", conf={"interruptible": "yes"})
    assert lab.client.wait_for_run(run).state == "failed"
    assert len(lab.client.tries(run, TASK)) == 1
    assert "interruptible must be True, False or None, but dag_run.conf says 'yes'" in raw_log(lab, run, 1)

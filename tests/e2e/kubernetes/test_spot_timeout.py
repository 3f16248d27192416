"""No spot node can be had, with two schedulers: on-demand within ``spot_timeout``, and no slot of an executor is lost.

The last module of this folder by its name: it ends a scheduler.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from e2e.contract.play import TASK, rest_capacities
from e2e.kubernetes.conftest import SPOT_TIMEOUT
from e2e.kubernetes.stage import DEMAND, NAMESPACE, SPOT
from waiting import PATIENCE

from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from typing import Any

    from e2e.kubernetes.stage import Played, Stage

    from airflow_interruptible.testing.component import Component

pytestmark = pytest.mark.e2e


def test_the_next_attempt_goes_on_demand_within_the_time_out(stage: Stage, played: dict[str, Played]) -> None:
    """Airflow's own pages show both tries; its own `task_queued_timeout`, 600 s, is longer than tests are patient."""
    run = played["no spot node"].run
    lost, done = stage.lab.client.tries(run, TASK)
    assert lost.queued_at is not None
    assert done.queued_at is not None
    assert done.queued_at - lost.queued_at >= timedelta(seconds=SPOT_TIMEOUT - 1), "not before the time-out"
    assert (lost.state, done.state) == ("failed", "success")


def test_the_reason_tells_what_the_autoscaler_said(played: dict[str, Played]) -> None:
    reason = played["no spot node"].attempts[0]["reason"]
    assert f"no spot node within {SPOT_TIMEOUT} s" in reason
    assert "NotTriggerScaleUp: pod didn't trigger scale-up" in reason


def test_the_pod_that_waited_is_gone(stage: Stage, played: dict[str, Played]) -> None:
    (waited,) = played["no spot node"].pods[1]
    assert waited.node is None
    assert waited.pod["metadata"]["name"] not in {pod["metadata"]["name"] for pod in stage.cluster.pods(NAMESPACE)}


def test_no_executor_keeps_a_slot(stage: Stage, played: dict[str, Played]) -> None:
    """SIGUSR2 makes a scheduler write down what its executors hold."""
    for name in ("scheduler", "scheduler-2"):
        component = stage.lab.stack.components[name]
        assert component.pid is not None
        wait_until(lambda c=component: _says_it_is_empty(c), bool, what=name, timeout=PATIENCE, interval=1)  # type: ignore[misc]


def _says_it_is_empty(scheduler: Component) -> bool:
    os.kill(scheduler.pid or 0, signal.SIGUSR2)
    return scheduler.has_said("executor.running (0)")


def test_a_scheduler_minds_the_pods_of_one_that_died(stage: Stage, played: dict[str, Played]) -> None:
    """The one that launched the first pod is killed while it waits; the other adopts it, and gives it up.

    A task for which it had not launched a pod yet is queued again by Airflow, as another try.
    """
    runs = [stage.trigger("no_spot_node")]
    (first, *_) = wait_until(lambda: stage.pods(runs[0], 1), bool, what="a pod that waits", timeout=PATIENCE)
    runs += [stage.trigger("no_spot_node") for _ in range(3)]
    stage.lab.stack.kill(owner(stage, first))
    for run in runs:
        assert stage.lab.client.wait_for_run(run).state == "success"
    by_id = {run.run_id: run for run in runs}
    for name, attempts in stage.attempts(by_id).items():
        told = [(attempt["capacity"], attempt["cause"], attempt["charge"]) for attempt in attempts]
        reasons = [attempt["reason"] for attempt in attempts]
        assert told[-2:] == [(SPOT, "no_capacity", "system"), (DEMAND, None, "none")], reasons
        assert rest_capacities(stage.lab, by_id[name]) == [capacity for capacity, *_ in told]
        lost_with_its_scheduler = [(SPOT, "infrastructure", "system")]
        assert told[:-2] in ([], lost_with_its_scheduler), reasons


def owner(stage: Stage, pod: dict[str, Any]) -> str:
    """The scheduler that launched a pod."""
    words = f"Pods of scheduler job {pod['metadata']['labels']['airflow-worker']} "
    (name,) = (
        name
        for name, component in stage.lab.stack.components.items()
        if name.startswith("scheduler") and component.has_said(words)
    )
    return name

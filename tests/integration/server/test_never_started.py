# SPDX-License-Identifier: Apache-2.0
"""Tries that are queued and whose pod is gone: when that is proved, and what Airflow's own sweep makes of it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.server import never_started, seam
from airflow_interruptible.server.never_started import Watch

from .conftest import Deployment, transaction
from .test_overdue import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LATE = timedelta(seconds=10)

_jobs = itertools.count(8_000)


@pytest.fixture
def waiting(deploy: Callable[..., Deployment], monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A try on spot that is queued for twenty seconds."""
    monkeypatch.setattr(never_started, "helped", {})
    deployment = deploy(retries=2).trigger().start_run().queue()
    return deployment._update(-1, queued_by_job_id=next(_jobs), queued_dttm=now() - timedelta(seconds=20))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    """The tries that have a pod."""
    there: set[Any] = set()
    monkeypatch.setattr(never_started.pods, "client", lambda: None)

    def tries(_api: Any, _job: int) -> Iterator[Any]:
        return iter(there)

    monkeypatch.setattr(never_started.pods, "tries", tries)
    return there


@pytest.fixture
def watch(waiting: Deployment, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(never_started, "_MISSING", timedelta(0))
    return Watch(waiting.row().queued_by_job_id, LATE)


def which(deployment: Deployment) -> Any:
    row = deployment.row()
    return seam.key_of(row), row.try_number


def stuck(deployment: Deployment) -> list[Any]:
    """What Airflow's own sweep for tries that are stuck in the queue finds."""
    runner = SchedulerJobRunner(Job(), executors=[])
    runner.job.id = deployment.row().queued_by_job_id
    with transaction() as session:
        return [ti.id for ti in runner._get_tis_stuck_in_queued(session)]


def test_one_whose_pod_was_seen_and_is_gone(waiting: Deployment, cluster: set[Any], watch: Watch) -> None:
    cluster.add(which(waiting))
    watch.look()
    assert stuck(waiting) == []
    cluster.clear()
    watch.look()
    assert stuck(waiting) == [waiting.row().id]


def test_it_stays_on_spot(waiting: Deployment, cluster: set[Any], watch: Watch) -> None:
    cluster.add(which(waiting))
    watch.look()
    cluster.clear()
    watch.look()
    waiting.stuck()
    assert (waiting.row().queue, waiting.marker().capacity) == ("cheap", CapacityType.SPOT)


def test_any_other_that_was_stuck_goes_on_demand(waiting: Deployment) -> None:
    waiting.stuck()
    assert waiting.marker().capacity is CapacityType.ON_DEMAND


def test_one_whose_pod_was_never_seen_may_have_none_yet(waiting: Deployment, cluster: set[Any], watch: Watch) -> None:
    for _ in range(3):
        watch.look()
    assert stuck(waiting) == []


def test_a_pod_that_is_made_anew_is_waited_for(
    waiting: Deployment, cluster: set[Any], watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(never_started, "_MISSING", timedelta(seconds=60))
    cluster.add(which(waiting))
    watch.look()
    cluster.clear()
    watch.look()
    assert list(watch.missing) == [which(waiting)]
    cluster.add(which(waiting))
    watch.look()
    assert (watch.missing, stuck(waiting)) == ({}, [])


def test_each_is_helped_once(waiting: Deployment, cluster: set[Any], watch: Watch) -> None:
    cluster.add(which(waiting))
    watch.look()
    cluster.clear()
    watch.look()
    waiting._update(-1, queued_dttm=now() - timedelta(seconds=20))
    watch.look()
    assert stuck(waiting) == [], "for Airflow fails a try that is queued again too often"


def test_one_that_airflow_has_queued_again_is_left_to_it(waiting: Deployment, cluster: set[Any], watch: Watch) -> None:
    (one,) = never_started.queued(watch.job_id, LATE)
    row = waiting.row()
    waiting.stuck()
    waiting._update(-1, state="queued", queued_dttm=row.queued_dttm)
    assert not never_started.requeue(one)


def test_not_where_airflow_queues_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(never_started, "wanted", lambda: True)
    assert never_started._begin(1) is not None
    monkeypatch.setenv("AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES", "0")
    assert never_started._begin(1) is None


@pytest.mark.parametrize("otherwise", [{"state": "running"}, {"queued_dttm": "just now"}, {"queued_by_job_id": 1}])
def test_others_are_not_looked_for(waiting: Deployment, watch: Watch, otherwise: dict[str, Any]) -> None:
    waiting._update(-1, **{name: now() if value == "just now" else value for name, value in otherwise.items()})
    assert list(never_started.queued(watch.job_id, LATE)) == []


def test_one_to_which_something_has_happened_meanwhile_is_spared(waiting: Deployment, watch: Watch) -> None:
    (one,) = never_started.queued(watch.job_id, LATE)
    waiting._update(-1, state="running")
    assert not never_started.requeue(one)
    waiting._update(-1, state="queued", queued_dttm=now())
    assert not never_started.requeue(one)

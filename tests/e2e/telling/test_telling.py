# SPDX-License-Identifier: Apache-2.0
"""What workers and servers say of the attempts, on a real stack: in the ledger, in metrics, and to callbacks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.contract.play import attempts, wait_for_log
from e2e.telling.statsd_listener import StatsdListener
from waiting import PATIENCE

from airflow_interruptible.testing.metadata import FakeEC2Metadata
from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.conftest import StartLab
    from e2e.telling.statsd_listener import Metric

    from airflow_interruptible.testing import DagRun, SpotLab

pytestmark = pytest.mark.e2e

TASKS = {"noticed": "telling", "finishes": "telling", "fails": "silent", "vanishes": "silent"}


@dataclass(frozen=True)
class Told:
    """Everything that was said. ``folder`` holds what callbacks wrote."""

    folder: Path
    attempts: dict[str, list[dict[str, Any]]]
    metrics: list[Metric]

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def counted(self, task: str) -> list[tuple[str, str, str]]:
        """The metrics of a task: name, cause, capacity."""
        return sorted(
            (metric.name.rpartition(".")[2], metric.tags["cause"], metric.tags["capacity"])
            for metric in self.metrics
            if metric.tags["task_id"] == task
        )

    def unheard(self) -> list[tuple[str, str, str]]:
        """What is counted of ``vanishes`` if it was proved to be gone; Airflow's own time-out may have come before."""
        proved = "after the last heartbeat" in self.attempts["vanishes"][0]["reason"]
        return [("unheard", "unknown", "spot")] if proved else []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("told")


@pytest.fixture(scope="module")
def statsd() -> Iterator[StatsdListener]:
    with StatsdListener() as listener:
        yield listener


@pytest.fixture(scope="module")
def ec2() -> Iterator[FakeEC2Metadata]:
    with FakeEC2Metadata() as fake:
        yield fake


@pytest.fixture(scope="module")
def lab(start_lab: StartLab, ec2: FakeEC2Metadata, statsd: StatsdListener, folder: Path) -> SpotLab:
    """A stack on EC2 that counts."""
    nowhere = {
        "GCE_METADATA_HOST": "127.0.0.1:9",
        "AIRFLOW_INTERRUPTIBLE_AZURE_METADATA_ENDPOINT": "http://127.0.0.1:9",
    }
    return start_lab(
        Path(__file__).parent / "dags",
        env={**ec2.env, **nowhere, "TELLING_FOLDER": str(folder)},
        config={
            "interruptible": {"notices": True},
            "metrics": {
                "statsd_on": True,
                "metrics_allow_list": "interruptible",  # a socket that nobody reads keeps only so many
                "statsd_host": "127.0.0.1",
                "statsd_port": statsd.port,
                "statsd_influxdb_enabled": True,
            },
        },
    )


@pytest.fixture(scope="module")
def told(lab: SpotLab, ec2: FakeEC2Metadata, statsd: StatsdListener, folder: Path) -> Told:
    """Play it all: one machine is announced to go, one goes without a word; meanwhile one task has a bug."""
    runs = {dag_id: lab.trigger(dag_id) for dag_id in ("telling", "silent")}
    for task in ("noticed", "finishes", "vanishes"):
        lab.wait_until_running(runs[TASKS[task]], task, try_number=1)
        wait_for_log(lab, runs[TASKS[task]], task, 1, "plays")
        wait_for_place(lab, runs[TASKS[task]], task)
    # Only now: what it says is heard by every task that runs.
    lab.reclaim(runs["silent"], "vanishes", grace=0)
    ec2.interrupt(in_seconds=2 * PATIENCE)
    for name in ("notified-noticed", "done-finishes"):
        wait_until((folder / name).exists, bool, what=name, timeout=PATIENCE)
    ec2.clear()
    (folder / "taken-back").touch()
    for run in runs.values():
        assert lab.client.wait_for_run(run).state == "success"
    # Airflow runs the callbacks of those who died without a word when it next looks at the Dag file.
    wait_until((folder / "diary-vanishes-1").exists, bool, what="the callback in the Dag processor", timeout=PATIENCE)
    return Told(folder, {task: told_of(lab, runs[dag], task) for task, dag in TASKS.items()}, statsd.ours())


def told_of(lab: SpotLab, run: DagRun, task: str) -> list[dict[str, Any]]:
    return attempts(lab, run, task)


def wait_for_place(lab: SpotLab, run: DagRun, task: str) -> None:
    """Wait until the history knows where the first attempt runs, which is asked for beside the author's code."""
    wait_until(
        lambda: told_of(lab, run, task),
        lambda rows: bool(rows) and "zone" in rows[0]["where"],
        what=f"the zone of {task} in the history",
        timeout=PATIENCE,
    )


# -- the ledger


def test_a_machine_is_known_by_zone_and_type_whatever_becomes_of_the_attempt(told: Told) -> None:
    for task in ("noticed", "finishes", "vanishes"):
        where = told.attempts[task][0]["where"]
        assert (where["zone"], where["instance_type"]) == ("eu-central-1a", "m7g.xlarge"), task


def test_an_announcement_is_written_down_whatever_came_of_it(told: Told) -> None:
    for row in (told.attempts["noticed"][0], told.attempts["finishes"][0]):
        notice = row["notice"]
        assert notice["provider"] == "ec2"
        assert datetime.fromisoformat(notice["at"]) < datetime.fromisoformat(notice["deadline"])
    assert told.attempts["noticed"][1]["notice"] is None
    assert told.attempts["vanishes"][0]["notice"] is None


def test_checkpoints_are_written_down(told: Told) -> None:
    first, second = (row["checkpoint"] for row in told.attempts["noticed"])
    assert (first["loaded"], second["loaded"]) == (False, True)
    assert datetime.fromisoformat(first["at"]) <= datetime.fromisoformat(second["at"])
    assert told.attempts["finishes"][0]["checkpoint"] is None


def test_every_attempt_says_why_it_was_placed_as_it_was(told: Told) -> None:
    assert [row["why"] for row in told.attempts["fails"]] == [
        "the task is interruptible",
        "this is the last user attempt",
    ]
    assert [row["why"] for row in told.attempts["vanishes"]] == ["the task is interruptible"] * 2


# -- metrics


def test_each_fact_is_counted_once(told: Told) -> None:
    interrupted = ("spot_interruption", "spot")
    assert told.counted("noticed") == [
        ("forgiven", *interrupted),
        ("interruptions", *interrupted),
        ("lost", *interrupted),
        ("notices", "none", "spot"),
        ("recovery", *interrupted),
    ]
    assert [metric for metric in told.counted("vanishes") if metric not in told.unheard()] == [
        ("forgiven", *interrupted),
        ("interruptions", *interrupted),
        ("lost", *interrupted),
        ("recovery", *interrupted),
    ], "counted by the scheduler, and by nobody else"
    assert told.counted("finishes") == told.counted("noticed"), "it was told to stop, though its code returned in time"
    assert told.counted("fails") == [("fallbacks", "application", "on-demand")]


def test_times_are_milliseconds_as_airflow_s_own(told: Told) -> None:
    times = {(metric.name, metric.tags["task_id"]): metric for metric in told.metrics if metric.kind == "ms"}
    assert sorted(times) == sorted(
        [(f"airflow.interruptible.{name}", task) for name in ("lost", "recovery") for task in TASKS if task != "fails"]
        + [("airflow.interruptible.unheard", "vanishes") for _ in told.unheard()]
    )
    first, second = told.attempts["noticed"]
    start, end, over = map(datetime.fromisoformat, (first["start"], first["end"], second["end"]))
    ran, whole = (end - start).total_seconds(), (over - start).total_seconds()
    assert 0 < times["airflow.interruptible.lost", "noticed"].value <= 1000 * ran + 1
    assert 0 < times["airflow.interruptible.recovery", "noticed"].value <= 1000 * whole + 1


def test_every_metric_says_which_task_it_is_about(told: Told) -> None:
    assert {(metric.tags["dag_id"], metric.tags["task_id"]) for metric in told.metrics} == {
        (dag_id, task) for task, dag_id in TASKS.items()
    }


# -- callbacks


def test_a_notifier_finds_the_notice_in_its_context(told: Told) -> None:
    assert told.read("notified-noticed") == "noticed: ec2"


def test_a_forgiven_interruption_pages_nobody(told: Told) -> None:
    assert not (told.folder / "page-noticed-1").exists()
    verdict = told.read("diary-noticed-1")
    assert (verdict["cause"], verdict["forgiven"]) == ("spot_interruption", True)
    assert "forgiven: system retry 1 of 3" in verdict["reason"]


def test_an_error_of_the_author_s_does(told: Told) -> None:
    verdict = told.read("page-fails-1")
    assert (verdict["cause"], verdict["forgiven"]) == ("application", False)


def test_in_the_dag_processor_the_verdict_is_not_known_and_the_pager_speaks(told: Told) -> None:
    """Airflow calls there who died without a word, and gives neither a verdict nor a way to ask for one."""
    assert told.read("diary-vanishes-1") is None
    assert told.read("page-vanishes-1") is None

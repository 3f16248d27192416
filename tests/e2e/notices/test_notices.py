"""A notice of the cloud, on a real stack: the author is told in time, and the attempt ends before the machine does."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.contract.play import TASK, attempts, wait_for_log
from waiting import PATIENCE

from airflow_interruptible.testing.metadata import FakeAzureMetadata, FakeEC2Metadata, FakeGCEMetadata
from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.conftest import StartLab

    from airflow_interruptible.testing import SpotLab

pytestmark = pytest.mark.e2e

ANNOUNCED = 120
"""How many seconds ahead the end of a machine is announced, as Amazon does."""

CLOUDS = {"ec2": FakeEC2Metadata, "gce": FakeGCEMetadata, "azure": FakeAzureMetadata}


@pytest.fixture(scope="module")
def clouds() -> Iterator[dict[str, Any]]:
    """All three at once: a real machine has one, and ours must not mind the others."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(fake()) for name, fake in CLOUDS.items()}


@pytest.fixture(scope="module")
def lab(start_lab: StartLab, clouds: dict[str, Any]) -> SpotLab:
    """A stack whose tasks listen."""
    env = {name: value for cloud in clouds.values() for name, value in cloud.env.items()}
    return start_lab(Path(__file__).parent / "dags", env=env, config={"interruptible": {"notices": True}})


def interrupt(lab: SpotLab, cloud: Any, file: Path, seconds: float, **conf: str) -> tuple[dict[str, Any], list[Any]]:
    """Announce the end of the machine under try 1; return what the author was told, and the attempts."""
    run = lab.trigger("listening", conf={"file": str(file), **conf})
    lab.wait_until_running(run, TASK, try_number=1)
    wait_for_log(lab, run, TASK, 1, "plays")
    if isinstance(cloud, FakeGCEMetadata):
        cloud.interrupt()  # Google says no time: it is thirty seconds, always
    else:
        cloud.interrupt(in_seconds=seconds)
    wait_until(file.exists, bool, what="the author's callback", timeout=PATIENCE)
    told = json.loads(file.read_text())
    cloud.clear()  # the next attempt is on another machine
    assert lab.client.wait_for_run(run).state == "success"
    return told, attempts(lab, run)


@pytest.mark.parametrize("name", CLOUDS)
def test_a_notice_tells_the_author_and_ends_the_attempt(
    lab: SpotLab, clouds: dict[str, Any], tmp_path: Path, name: str
) -> None:
    told, rows = interrupt(lab, clouds[name], tmp_path / "told.json", ANNOUNCED)
    assert (told["provider"], told["try"]) == (name, 1)
    heard, ended, deadline = map(datetime.fromisoformat, (told["at"], rows[0]["end"], told["deadline"]))
    assert deadline - heard <= timedelta(seconds=30 if name == "gce" else ANNOUNCED)
    assert heard <= ended, "the author is told while the attempt runs"
    assert (rows[0]["cause"], rows[0]["charge"]) == ("spot_interruption", "system")
    assert f"{name} will" in rows[0]["reason"]
    assert rows[-1]["user_retries_left"] == 2


@pytest.mark.parametrize("callback", ["hang", "raise"])
def test_a_callback_cannot_keep_the_attempt_alive(
    lab: SpotLab, clouds: dict[str, Any], tmp_path: Path, callback: str
) -> None:
    """It hangs for ten minutes, or raises, and the attempt ends as interrupted. How soon, `make bench` says."""
    _, rows = interrupt(lab, clouds["ec2"], tmp_path / "told.json", 20, callback=callback)
    assert (rows[0]["cause"], rows[0]["charge"]) == ("spot_interruption", "system")
    assert [row["state"] for row in rows] == ["failed", "success"]


def test_a_bare_signal_tells_the_author_as_well(lab: SpotLab, tmp_path: Path) -> None:
    """Without a deadline: nobody said how long the machine lives."""
    file = tmp_path / "told.json"
    run = lab.trigger("listening", conf={"file": str(file)})
    lab.wait_until_running(run, TASK, try_number=1)
    wait_for_log(lab, run, TASK, 1, "plays")
    lab.reclaim(run, TASK, grace=PATIENCE)
    assert lab.client.wait_for_run(run).state == "success"
    told = json.loads(file.read_text())
    assert (told["provider"], told["deadline"]) == ("signal", None)

# SPDX-License-Identifier: Apache-2.0
"""A real Celery worker on a real redis: who has begun with a message is known, and whether that worker is gone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from redis_broker import redis_broker
from waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("airflow.providers.celery")

from airflow.providers.celery.executors import celery_executor_utils as provider

from airflow_interruptible.remote.presence import celery

NAME = "one@here"
WORKER = f"""
import sys, time
from celery import Celery

url = sys.argv[1]
app = Celery("t", broker=url, backend=url)
app.conf.update(task_track_started=True, broker_connection_retry_on_startup=True)

@app.task(name="work")
def work():
    time.sleep(600)

app.worker_main(["worker", "-c", "1", "-n", "{NAME}", "--without-gossip", "--without-mingle", "-l", "warning"])
"""


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Airflow's Celery application, on a redis of its own."""
    from celery import Celery

    with redis_broker() as url, Celery("t", broker=url, backend=url) as app:
        monkeypatch.setattr(provider, "app", app)
        yield app


def test_who_has_begun_with_a_message_and_is_gone(app: Any) -> None:
    first, second = (app.send_task("work").id for _ in range(2))
    assert list(celery.takers([first, second])) == [], "both wait in the broker"
    worker = subprocess.Popen([sys.executable, "-c", WORKER, app.conf.broker_url], start_new_session=True)
    try:
        until(lambda: list(celery.takers([first, second])))
        assert list(celery.takers([first, second])) == [(first, NAME)], "the other one was fetched at most"
        assert celery.silent({NAME}) == set()
    finally:
        worker.kill()
        worker.wait()
    assert celery.silent({NAME}) == {NAME}
    assert list(celery.takers([first])) == [(first, NAME)], "nobody has taken that back"

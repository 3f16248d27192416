# SPDX-License-Identifier: Apache-2.0
"""A real Celery worker on a real redis: whichever way it is shut down, its tasks are told, and end before their pool.

What Airflow's supervisor does in the pool's processes is done here in a few lines: it forks the task's process, waits
for it, and forwards a SIGTERM.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from redis_broker import redis_broker
from waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytest.importorskip("celery")

WORKER = """
import os, signal, sys, time, types
url, out = sys.argv[1], os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
sys.argv = ["airflow", "celery", "worker"]
from celery import Celery
from airflow_interruptible.worker import celery as ours, supervision
ours.install()

app = Celery("t", broker=url, backend=url)
app.conf.update(task_acks_late=True, broker_connection_retry_on_startup=True)
say = lambda *words: os.write(out, (" ".join(map(str, words)) + chr(10)).encode())

def play():
    sys.modules["airflow.sdk.execution_time.task_runner"] = types.SimpleNamespace(
        SUPERVISOR_COMMS=types.SimpleNamespace(socket=None))
    def told(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, told)
    try:
        with supervision.supervised():
            say("began", os.getpid())
            time.sleep(600)
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("told", os.getpid())
        time.sleep(1)
    say("ended", os.getpid())
    os._exit(0)

@app.task(name="work")
def work():
    child = os.fork()
    if not child:
        play()
    before = signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    os.waitpid(child, 0)
    signal.signal(signal.SIGTERM, before)
    say("reported", child)

app.worker_main(["worker", "-c", "2", "--without-gossip", "--without-mingle", "-l", "warning"])
"""


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with redis_broker() as url:
        yield url


@pytest.fixture
def worker(broker: str, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``worker(**environment)``: a worker with two tasks at work, and what was said so far."""
    from celery import Celery

    file, started = tmp_path / "said", []

    def said(word: str) -> list[int]:
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return [int(pid) for what, pid in lines if what == word]

    def begin(**environment: str) -> tuple[subprocess.Popen[bytes], Callable[[str], list[int]]]:
        command = [sys.executable, "-c", WORKER, broker, str(file)]
        process = subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)
        started.append(process)
        with Celery("t", broker=broker, backend=broker) as app:
            for _ in range(2):
                app.send_task("work")
        until(lambda: len(said("began")) == 2)
        return process, said

    yield begin
    for process in started:
        process.kill()
        process.wait()
    with Celery("t", broker=broker, backend=broker) as app:
        app.control.purge()


@pytest.mark.parametrize(
    ("signum", "environment"),
    [
        (signal.SIGTERM, {}),
        (signal.SIGTERM, {"REMAP_SIGTERM": "SIGQUIT"}),
        (signal.SIGQUIT, {}),
        (signal.SIGINT, {}),
    ],
    ids=["warm", "remapped", "cold", "interrupt"],
)
def test_a_worker_that_is_shut_down_tells_its_tasks(
    worker: Callable[..., Any], signum: signal.Signals, environment: dict[str, str]
) -> None:
    process, said = worker(**environment)
    process.send_signal(signum)
    until(lambda: process.poll() is not None)
    assert sorted(said("told")) == sorted(said("ended")) == sorted(said("began"))
    assert sorted(said("reported")) == sorted(said("began")), "their supervisors were there until then"


def test_so_does_one_that_is_told_by_the_broker(worker: Callable[..., Any], broker: str) -> None:
    """``airflow celery shutdown-worker``."""
    from celery import Celery

    process, said = worker()
    with Celery("t", broker=broker, backend=broker) as app:
        app.control.shutdown()
    until(lambda: process.poll() is not None)
    assert sorted(said("told")) == sorted(said("reported")) == sorted(said("began"))


def test_one_that_is_killed_leaves_no_task_at_work(worker: Callable[..., Any]) -> None:
    process, said = worker()
    process.kill()
    until(lambda: len(said("ended")) == 2)
    assert sorted(said("told")) == sorted(said("began"))

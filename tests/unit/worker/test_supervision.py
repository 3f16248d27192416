# SPDX-License-Identifier: Apache-2.0
"""A task's process listens to those above it: real processes, forked as Celery and the supervisor fork them."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

from airflow_interruptible.worker import celery

if TYPE_CHECKING:
    from pathlib import Path

TASK = """
import os, signal, sys, time, types
from airflow_interruptible.worker import celery, supervision

out = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
say = lambda *words: os.write(out, (" ".join(map(str, words)) + chr(10)).encode())

def task(stubborn=False):
    '''The task's process: its code has a socket to its supervisor, and takes a moment to end.'''
    comms = types.SimpleNamespace(SUPERVISOR_COMMS=types.SimpleNamespace(socket=None))
    sys.modules["airflow.sdk.execution_time.task_runner"] = comms
    def told(*_):
        say("told", os.getpid())
        if not stubborn:
            raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, told)
    try:
        with supervision.supervised():
            say("began", os.getpid())
            for _ in range(1200):
                time.sleep(0.1)
    except KeyboardInterrupt:
        time.sleep(0.5)
    say("ended", os.getpid())
    os._exit(0)

def forked(do, *arguments):
    child = os.fork()
    if not child:
        do(*arguments)
        os._exit(0)
    return child
"""

WORKER = """
line = celery._Above.line = celery.Line.laid()

def supervisor():
    celery._in_pool()
    os.waitpid(forked(task), 0)

pool = [forked(supervisor) for _ in range(2)]
signal.signal(signal.SIGTERM, lambda *_: None)
signal.signal(signal.SIGQUIT, celery._passing_on(line, lambda *_: say("goes")))
say("worker", os.getpid())
"""


@pytest.fixture
def play(tmp_path: Path) -> Any:
    """``play(script)``: a process that runs it, and what was said so far, in order."""
    processes = []
    file = tmp_path / "said"

    def said(word: str | None = None) -> list[list[str]]:
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return [line for line in lines if word in (None, line[0])]

    def begin(script: str) -> tuple[subprocess.Popen[bytes], Any]:
        process = subprocess.Popen([sys.executable, "-c", TASK + script, str(file)])
        processes.append(process)
        return process, said

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def test_every_task_of_a_worker_is_told_and_waited_for(play: Any) -> None:
    worker, said = play(WORKER + "os.waitpid(pool[0], 0); os.waitpid(pool[1], 0)")
    until(lambda: len(said("began")) == 2 and said("worker"))
    worker.send_signal(signal.SIGQUIT)
    until(lambda: said("goes"))
    assert [line[0] for line in said()][-5:] == ["told", "told", "ended", "ended", "goes"]


def test_a_worker_that_is_gone_tells_its_tasks_too(play: Any) -> None:
    worker, said = play(WORKER + "time.sleep(600)")
    until(lambda: len(said("began")) == 2)
    worker.kill()
    until(lambda: len(said("ended")) == 2)
    assert len(said("told")) == 2


def test_a_task_whose_supervisor_is_gone_is_told(play: Any) -> None:
    supervisor, said = play("forked(task); time.sleep(600)")
    until(lambda: said("began"))
    supervisor.kill()
    until(lambda: said("ended"))
    assert [line[0] for line in said()] == ["began", "told", "ended"]


def test_and_killed_if_it_does_not_end(play: Any) -> None:
    import psutil

    supervisor, said = play("supervision.ORPHAN_SECONDS = 0.5; forked(task, True); time.sleep(600)")
    (began,) = until(lambda: said("began"))
    task = psutil.Process(int(began[1]))
    supervisor.kill()
    until(lambda: not task.is_running() or task.status() == psutil.STATUS_ZOMBIE)
    assert [line[0] for line in said()] == ["began", "told"]


def test_a_task_that_ends_listens_no_more(play: Any) -> None:
    """Its threads and descriptors are gone, and a later shutdown is nothing to it."""
    process, said = play(
        "sys.modules['airflow.sdk.execution_time.task_runner'] = "
        "types.SimpleNamespace(SUPERVISOR_COMMS=types.SimpleNamespace(socket=None))\n"
        "import threading\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        "with supervision.supervised(): say('began')\n"
        "while threading.active_count() > 1: time.sleep(0.05)\n"
        "say('left', len(os.listdir('/proc/self/fd')) - before)"
    )
    assert process.wait() == 0
    assert said("left") == [["left", "0"]]


def test_where_there_is_no_supervisor_nobody_is_listened_to(play: Any) -> None:
    process, said = play("import threading\nwith supervision.supervised(): say('threads', threading.active_count())")
    assert process.wait() == 0
    assert said() == [["threads", "1"]]


def test_only_a_celery_worker_is_listened_for(monkeypatch: pytest.MonkeyPatch) -> None:
    signals = pytest.importorskip("celery.signals")
    connected: list[Any] = []
    monkeypatch.setattr(signals.worker_init, "connect", lambda handler, **_: connected.append(handler))
    monkeypatch.setattr(signals.worker_process_init, "connect", lambda handler, **_: connected.append(handler))
    for arguments in (["airflow", "scheduler"], ["airflow", "celery", "flower"], ["pytest"]):
        monkeypatch.setattr(sys, "argv", arguments)
        celery.install()
    assert connected == []
    monkeypatch.setattr(sys, "argv", ["airflow", "celery", "worker", "-q", "spot"])
    celery.install()
    assert connected == [celery._begin, celery._in_pool]


def test_a_celery_that_is_not_known_costs_the_telling_only(caplog: pytest.LogCaptureFixture) -> None:
    celery._begin(sender=object())
    assert celery.line() is None
    assert "tasks are not told" in caplog.text


@pytest.mark.parametrize(
    ("signum", "remapped", "cold"),
    [
        (signal.SIGTERM, "", False),
        (signal.SIGTERM, "SIGQUIT", True),
        (signal.SIGQUIT, "", True),
        (signal.SIGINT, "SIGQUIT", False),
    ],
)
def test_which_signals_end_tasks_at_once(
    signum: signal.Signals, remapped: str, cold: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMAP_SIGTERM", remapped)
    assert celery._is_cold(signum) is cold


def test_what_of_celery_is_relied_on() -> None:
    """Its signal handlers are there when a step starts that requires the pool."""
    pytest.importorskip("celery")
    from celery import bootsteps, signals
    from celery.utils.imports import symbol_by_name
    from celery.worker.components import Pool

    (pool,) = celery._step(celery.Line.laid()).requires  # type: ignore[attr-defined]
    assert symbol_by_name(pool) is Pool
    assert all(hasattr(signals, name) for name in ("worker_init", "worker_process_init"))
    assert issubclass(celery._step(celery.Line.laid()), bootsteps.StartStopStep)

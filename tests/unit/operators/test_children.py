# SPDX-License-Identifier: Apache-2.0
"""Operators that wait for a child process: it ends when they are told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from airflow.providers.standard.decorators.external_python import _PythonExternalDecoratedOperator
from airflow.providers.standard.decorators.python_virtualenv import _PythonVirtualenvDecoratedOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import ExternalPythonOperator, PythonVirtualenvOperator
from airflow.providers.standard.sensors.bash import BashSensor
from airflow.providers.standard.utils.python_virtualenv import _execute_in_subprocess
from airflow.sdk import DAG
from airflow.sdk.bases.operator import ExecutorSafeguard

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.operators.children import ChildStopper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HANGS = 60
"""Seconds that a child works if nobody ends it."""


def _nothing() -> None: ...


class External(ExternalPythonOperator):
    """Waits for a child exactly as Airflow's operator does, without a function to send to it."""

    def execute(self, context: Any) -> None:
        _execute_in_subprocess(["bash", "-c", self.op_args[0]])


@pytest.mark.parametrize(
    "operator",
    [
        BashSensor,
        ExternalPythonOperator,
        PythonVirtualenvOperator,
        _PythonExternalDecoratedOperator,
        _PythonVirtualenvDecoratedOperator,
    ],
)
def test_operators_that_leave_their_child_alone_get_an_on_kill(operator: type) -> None:
    assert issubclass(interruptible(operator), ChildStopper)  # type: ignore[type-var]


def test_an_operator_that_ends_its_child_itself_is_left_alone() -> None:
    assert not issubclass(interruptible(BashOperator), ChildStopper)


@pytest.mark.parametrize(
    "make",
    [
        lambda command: interruptible(BashSensor)(task_id="work", bash_command=command),
        lambda command: interruptible(External)(
            task_id="work", python=sys.executable, python_callable=_nothing, op_args=[command]
        ),
    ],
    ids=["sensor", "external"],
)
def test_an_interruption_does_not_wait_for_the_child(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[str], Any]
) -> None:
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
    bench, running = bench(), tmp_path / "running"
    with DAG("dag", schedule=None):
        task = bench.task = bench.ti.task = make(f"echo $$ > {running}; sleep {HANGS}")
    bystander = subprocess.Popen(["sleep", str(HANGS)])
    previous = signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
    reclaim = threading.Thread(target=_reclaim_when, args=(running,), daemon=True)
    try:
        reclaim.start()
        begun = time.monotonic()
        with pytest.raises(Interrupted):
            task.execute(bench.context)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert time.monotonic() - begun < HANGS / 2
    assert not psutil.pid_exists(int(running.read_text())), "the child lives on"
    assert bystander.poll() is None, "a process that was there before is none of the operator's"
    bystander.kill()
    bystander.wait()


def _reclaim_when(running: Path) -> None:
    deadline = time.monotonic() + HANGS / 2
    while time.monotonic() < deadline and not (running.exists() and running.read_text()):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)

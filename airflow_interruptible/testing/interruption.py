# SPDX-License-Identifier: Apache-2.0
"""Interrupt a task inside ``dag.test()``: a real signal, to this process, inside the attempt."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from airflow.sdk import DAG

from airflow_interruptible.operators import interruptible as operators

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator


@contextmanager
def interrupting(
    task_id: str, *, attempts: Collection[int] = (1,), map_index: int | None = None, after: float = 0.0
) -> Iterator[None]:
    """Interrupt ``task_id`` while the ``with`` block runs, as a machine that goes away would.

    Within it, ``dag.test()`` asks the cluster policies about every task, as Airflow does wherever else it reads a Dag
    file: stock operators are adopted, and ``airflow interruptible attempts`` tells afterwards what happened.

    ::

        with interrupting("fit", attempts=[1, 2]):
            assert dag.test().state == "success"

    :param attempts: the numbers of the attempts to interrupt, Airflow's try numbers.
    :param map_index: which index of a mapped task; None for every one.
    :param after: seconds into the attempt. 0, the default, is before the first line of the task's own code.
    """

    def meant(context: Any) -> bool:
        ti = context["ti"]
        return ti.task_id == task_id and ti.try_number in attempts and map_index in (None, ti.map_index)

    attempt: Any = vars(operators)["attempt"]  # perhaps one that interrupts another task

    @contextmanager
    def interrupted(task: Any, context: Any) -> Iterator[None]:
        with attempt(task, context), _signal_after(after) if meant(context) else nullcontext():
            yield

    with patch.object(operators, "attempt", interrupted), patch.object(DAG, "test", _after_policies(DAG.test)):
        yield


def _after_policies(test: Callable[..., Any]) -> Callable[..., Any]:
    def asked(dag: DAG, *args: Any, **kwargs: Any) -> Any:
        from airflow import settings

        policy: Any = settings.task_policy
        for task in dag.tasks:
            policy(task)
        return test(dag, *args, **kwargs)

    return asked


@contextmanager
def _signal_after(seconds: float) -> Iterator[None]:
    if seconds == 0:
        signal.raise_signal(signal.SIGTERM)
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()

# SPDX-License-Identifier: Apache-2.0
"""The job that a vanished attempt had launched on a service, as the operator of the next attempt can ask about it.

It must not know any service. The surprising fact: a job that still runs, or has succeeded, is evidence too. Then only
the Airflow worker was lost.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException

from airflow_interruptible.compute.launched import launcher_of
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.remote.answer import Answer
from airflow_interruptible.remote.failure import Failure
from airflow_interruptible.remote.operators import describing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.remote.past import Past


def look(past: Past) -> Iterator[Answer]:
    """Look at the job of an attempt that never reported."""
    launcher = launcher_of(past.task.__class__)
    if launcher is None or not launcher.work_path:
        return
    work, task, job = launcher.work, copy(past.task), past.where["launched_job"]
    seen = work.look(task, job)
    if seen.state is not WorkState.OVER or seen.succeeded:
        phase = "Succeeded" if seen.succeeded else "Running"
        yield Answer("airflow", "launched job", {"launched": {"phase": phase}})
        return
    describe = describing(type(task))
    if describe is not None:
        work.attach(task, job)
        task.launched = {"launched_job": job}
        capacity = seen.capacity or past.capacity
        for answer in describe(Failure(task, AirflowException(f"{work.noun} {job} has ended"), {})):
            yield answer.on(capacity and capacity.value)

# SPDX-License-Identifier: Apache-2.0
"""What is known of one attempt, from all who saw it: the ledger, and Airflow's own row of the try.

The server, the workers, the command line, the API and the reports all ask :func:`observed`, so that they draw the same
conclusion. The ledger tells most, and is believed where it names a cause. The row tells the rest: whether a worker
took the try up, and the sentence in which ours reported its end, which is still there where the ledger is not (cleared
after a success, kept by a store of the workers' own, not written because the store was out of reach).

>>> from airflow_interruptible.core.capacity import CapacityType
>>> observed(1, None, None).ending(CapacityType.SPOT)[0].value                  # nobody saw anything
'infrastructure'
>>> observed(1, Trace(CapacityType.SPOT), None).ending(CapacityType.SPOT)[0].value   # started, and fell silent
'spot_interruption'
>>> said = "attempt 1 on spot failed (ValueError); charged to the author: user failure 1, 2 retries; ..."
>>> observed(1, Trace(CapacityType.SPOT), Row(began=True, reason=said)).cause.value   # reported, not recorded
'application'
>>> observed(1, None, Row(began=True)).cause.value                              # a worker without this package
'unknown'
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.history import NO_TRACE, Trace
from airflow_interruptible.core.verdict import cause_in

STARTING_SECONDS = 120.0
"""How long a worker with this package may take to write its first word: it parses the Dag file first, for which Airflow
gives it 30 seconds, and renders templates. One that is heard of for longer, and writes nothing, does not have it."""

WITHOUT_US = (
    "the worker has written nothing, as one does that does not have airflow-interruptible; so nothing is known, and "
    "nothing is forgiven"
)
"""The reason for an attempt that ran, and of which nobody of ours said a word."""

TAKEN_AWAY = "its history went when the task was cleared, as Airflow 3.4 clears by default, so nobody knows why"
"""The reason for an attempt before a clear that left nothing of the ledger (``keep_task_state`` of Airflow's API)."""

NOT_WRITTEN = "its worker reported it, and could not write down why"
"""The reason for an attempt that our worker began, and whose end it only reported."""


@dataclass(frozen=True)
class Row:
    """What Airflow's own row of a try tells.

    :param began: a worker took it up: there is a start.
    :param reason: its ``retry_reason``, None if there is none.
    :param reported: its worker is known to have reported the end; False where that is not known.
    """

    began: bool = False
    reason: str | None = None
    reported: bool = False


def observed(number: int, trace: Trace | None, row: Row | None) -> Trace:
    """Return what is known of an attempt that has ended.

    :param number: the attempt's.
    :param trace: what the ledger says; None if it says nothing, or cannot be read.
    :param row: what Airflow says; None if it is not known here.
    :return: with a cause, unless nobody named one and silence is to be judged.
    """
    trace = trace or NO_TRACE
    if trace.cause is not None or row is None:
        return trace
    named = cause_in(row.reason or "", number)
    if named is not None:
        return replace(trace, cause=named)
    if trace.told:
        return trace
    if row.reported or (row.began and not trace.started):
        return replace(trace, cause=Cause.UNKNOWN)
    return trace


def proved(cause: Cause) -> Cause | None:
    """Return what a cloud's or a cluster's word on the end of a silent attempt proves of it, None if nothing.

    A person who stops a job or deletes a machine there does not say what the task did on it, and may be an autoscaler.
    So that forgives nothing and clears nothing: what is presumed of silence stands, and what a worker reports of such a
    job is the author's (:func:`airflow_interruptible.worker.fate.fate_of`). Nobody pays only for what a person does in
    Airflow.

    >>> proved(Cause.INFRASTRUCTURE).value
    'infrastructure'
    >>> proved(Cause.USER_ACTION), proved(Cause.UNKNOWN)
    (None, None)
    """
    return None if cause in (Cause.UNKNOWN, Cause.USER_ACTION) else cause


def why_unknown(trace: Trace | None) -> str:
    """Return the reason for an attempt of which :func:`observed` found out only that it ran.

    :param trace: what the ledger says.
    """
    return NOT_WRITTEN if trace is not None and trace.started else WITHOUT_US

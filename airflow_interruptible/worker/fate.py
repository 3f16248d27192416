# SPDX-License-Identifier: Apache-2.0
"""What the exception that ended an attempt says about its cause."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.worker.outage import asked_until_reached

if TYPE_CHECKING:
    from airflow_interruptible.core.evidence import Evidence

log = logging.getLogger(__name__)

_RUNNING = "running"

SIGNAL = "signal"
"""The provider of a notice that is nothing but a signal."""


@dataclass(frozen=True)
class Fate:
    """How an attempt ended, as its own process saw it.

    :param evidence: what this was concluded from, in a few words.
    :param rule: the rule that said so, None where none was needed.
    """

    cause: Cause
    evidence: str
    rule: str | None = None


def fate_of(exception: BaseException, capacity: CapacityType, evidence: Evidence | None = None) -> Fate:
    """Judge an exception that a person did not cause.

    :param capacity: what the attempt ran on. A bare signal is a reclaim only where there is one to be had.
    :param evidence: what the exception, or the remote job it is about, tells besides.
    """
    if isinstance(exception, Interrupted):
        return _of_interruption(exception, capacity)
    if evidence is not None and (forgiven := _forgiven(evidence)) is not None:
        return forgiven
    # Whatever no rule forgives is the author's; so is a remote job that a person cancelled: nobody moved this task.
    return Fate(Cause.APPLICATION, type(exception).__name__)


def outside_execute(exception: BaseException, task: Any, raised: BaseException | None) -> BaseException:
    """Return what ended the attempt: :class:`Interrupted`, if the signal came where nothing watches for it.

    Before ``execute`` and after it, Airflow calls ``on_kill`` and goes on; what fails from then on fails on a machine
    that is going away. A mapped task has no ``on_kill`` until it is expanded, so there the handler itself fails.

    :param exception: what Airflow asks the retry policy about.
    :param raised: what left ``execute`` as an exception: the signal, if there was one, came after that.
    """
    if isinstance(exception, (Interrupted, AirflowTaskTimeout)) or exception is raised:
        return exception  # a time-out calls on_kill as well
    if not (getattr(task, "interruptible_told", False) or _has_no_on_kill(exception, task)):
        return exception
    interruption = Interrupted(
        f"the machine of this attempt was told to stop outside of execute; then {type(exception).__name__}"
    )
    interruption.__cause__ = exception
    return interruption


def _has_no_on_kill(exception: BaseException, task: Any) -> bool:
    return isinstance(exception, AttributeError) and exception.name == "on_kill" and exception.obj is task


def _forgiven(evidence: Evidence) -> Fate | None:
    # Loaded only after a failure: the rules are most of what this package weighs.
    from airflow_interruptible.core.classification import classify
    from airflow_interruptible.rules import DEFAULT_RULES

    answer = classify(evidence, DEFAULT_RULES)
    return Fate(answer.cause, answer.reason, answer.rule) if answer.cause.charge is Charge.SYSTEM else None


def _of_interruption(interruption: Interrupted, capacity: CapacityType) -> Fate:
    notice = interruption.notice
    if notice is None or notice.provider == SIGNAL:
        reclaimed, evidence = capacity is CapacityType.SPOT, str(interruption)
    else:
        reclaimed, evidence = notice.is_reclaim, str(notice)
    return Fate(Cause.SPOT_INTERRUPTION if reclaimed else Cause.INFRASTRUCTURE, evidence)


def ended_by_a_person(ti: Any, *, patience: float = 0.0) -> bool:
    """Return whether somebody cleared or marked this task instance while it ran.

    The server has then moved it out of ``running``, and refuses whatever the worker reports. Where the server cannot be
    asked, nobody is presumed to have done anything.

    :param patience: for how many seconds to ask again while it cannot be reached.
    """
    try:
        state = asked_until_reached(lambda: _state_of(ti), patience)
    except Exception:
        log.warning("The state of this task instance cannot be read; it is taken as still running.", exc_info=True)
        return False
    return state is not None and state != _RUNNING


def _state_of(ti: Any) -> str | None:
    """Ask the server. It answers ``{run_id: {task_id: state}}``, a mapped task under ``task_id_<map_index>``."""
    mapped = ti.map_index is not None and ti.map_index >= 0
    states = ti.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index if mapped else None
    )
    key = f"{ti.task_id}_{ti.map_index}" if mapped else ti.task_id
    state = states.get(ti.run_id, {}).get(key)
    return None if state is None else str(getattr(state, "value", state))

# SPDX-License-Identifier: Apache-2.0
"""One Dag run: what became of each of its interruptible task instances, and the sentence for all of them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.report import rows
from airflow_interruptible.report.entry import entries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_interruptible.report.entry import Entry, Row

LIMIT = 20_000
"""So many task instances of one run are looked at."""

_FAILED = frozenset({"failed", "upstream_failed"})


@dataclass(frozen=True)
class Instance:
    """One task instance of the run.

    :param attempts: how many there were, that which runs included.
    :param causes: why attempts ended that failed: how many for each cause.
    :param charged: how many of them the author's ``retries`` paid for.
    :param lost_seconds: by interruptions, since the last checkpoint of each.
    :param capacity: what it runs on now, or ran on last; None where nothing sends it anywhere.
    :param running: whether it holds a machine now.
    """

    task_id: str
    map_index: int
    state: str | None
    attempts: int
    causes: Mapping[str, int]
    interruptions: int
    charged: int
    lost_seconds: float
    capacity: str | None
    running: bool


@dataclass(frozen=True)
class RunReport:
    """The run.

    :param summary: what happened, in one sentence.
    :param truncated: whether it has more task instances than are told.
    """

    dag_id: str
    run_id: str
    summary: str
    instances: Sequence[Instance] = field(default_factory=list)
    truncated: bool = False


def run_report(dag_id: str, run_id: str) -> RunReport:
    """Return what is known of a run, from the ledgers of its task instances."""
    from airflow.utils.session import create_session

    with create_session() as session:
        found = rows.of_run(session, dag_id, run_id, LIMIT + 1)
    now = time.time()
    instances = [_instance(row, of_row, now) for row in found[:LIMIT] if (of_row := entries(row))]
    instances.sort(key=lambda each: (-each.interruptions - each.charged, -each.attempts, each.task_id, each.map_index))
    return RunReport(dag_id, run_id, sentence(instances), instances, len(found) > LIMIT)


def _instance(row: Row, attempts: Sequence[Entry], now: float) -> Instance:
    last, interrupted = attempts[-1], [entry for entry in attempts if entry.interrupted]
    return Instance(
        task_id=row.task_id,
        map_index=row.map_index,
        state=row.state,
        attempts=len(attempts),
        causes=dict(Counter(entry.cause for entry in attempts if entry.cause is not None)),
        interruptions=len(interrupted),
        charged=sum(entry.charge == Charge.USER.value for entry in attempts),
        lost_seconds=sum(entry.lost(now) for entry in interrupted),
        capacity=last.capacity if last.placed else None,
        running=last.on_machine,
    )


def sentence(instances: Sequence[Instance]) -> str:
    """Return what the run came to, as far as its interruptible tasks tell."""
    if not instances:
        return "No interruptible task of this run has begun yet."
    hit = [each for each in instances if each.interruptions]
    parts = []
    if hit:
        times = sum(each.interruptions for each in hit)
        hours = sum(each.lost_seconds for each in hit) / 3600
        parts.append(f"{_counted(times, 'interruption')} hit {len(hit)} of {_counted(len(instances), 'task instance')}")
        parts.append(f"{hours:.1f} hours of work were lost" if hours >= _TENTH else "next to no work was lost")
    else:
        parts.append(f"none of {_counted(len(instances), 'task instance')} was interrupted")
    own = sum(each.causes.get(Cause.APPLICATION.value, 0) for each in instances)
    if own:
        parts.append(f"{_counted(own, 'attempt')} failed by {'its' if own == 1 else 'their'} own error")
    failed = [each for each in instances if each.state in _FAILED]
    if failed:
        names = ", ".join(_name(each) for each in failed[:_NAMED])
        parts.append(f"failed: {names}" + (f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""))
    on_spot = sum(each.running and each.capacity == CapacityType.SPOT.value for each in instances)
    if on_spot:
        parts.append(f"{on_spot} on spot now")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


_TENTH = 0.1
_NAMED = 3


def _name(each: Instance) -> str:
    return each.task_id if each.map_index < 0 else f"{each.task_id} [{each.map_index}]"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"

# SPDX-License-Identifier: Apache-2.0
"""Read all there is to know of one task instance, let it be decided, and write what follows.

The statements of one task instance stand in a savepoint of their own, and what the row becomes is written last:
whatever fails, this row stays as Airflow leaves it, and no other row notices.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute import ComputeChoice, Slot
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError, LedgerError
from airflow_interruptible.ledger import KEY, Ledger
from airflow_interruptible.marker import Marker, tolerated_by, without_marker
from airflow_interruptible.metrics import TaskMetrics
from airflow_interruptible.server import counting, seam, state_store
from airflow_interruptible.server.apart import apart, tolerated
from airflow_interruptible.server.complaints import complaints
from airflow_interruptible.server.flush import UP_FOR_RETRY, Happened, Turn
from airflow_interruptible.server.next_attempt import Decision, Known, decide_next, move_on_demand
from airflow_interruptible.server.silence import heard, known
from airflow_interruptible.settings import get_settings
from airflow_interruptible.stats import IN_SERVERS, stats_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

_random = random.SystemRandom()  # `dag.test()` settles in the author's process, whose generator is theirs

_STAYS = "An attempt of task instance %s could not be placed; it stays where the last one was."


@dataclass
class Confs:
    """What the runs of one flush say, each looked up once."""

    session: Session
    _of: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def of(self, row: Any) -> Mapping[str, Any]:
        """Return the conf of the run of a task instance."""
        run = (row.dag_id, row.run_id)
        if run not in self._of:
            loaded = vars(row).get("dag_run")
            self._of[run] = self._look_up(*run) if loaded is None else loaded.conf or {}
        return self._of[run]

    def _look_up(self, dag_id: str, run_id: str) -> Mapping[str, Any]:
        found: list[Mapping[str, Any]] = []
        with apart(self.session, f"What run {run_id!a} of Dag {dag_id!a} says is not heard."):
            found.append(seam.conf_of(self.session, dag_id, run_id))
        return found[0] if found else {}


def settle(session: Session, turn: Turn, confs: Confs) -> None:
    """Judge the attempt that this flush ends, if nobody else has, and place the next one.

    :raises Exception: the database has given up Airflow's transaction.
    """
    if turn.last == 0:
        with tolerated(_stays(turn.row)):
            _write(session, turn, decide_next(_known(session, turn, None, confs.of(turn.row))))
        return
    decision = None
    with apart(session, _stays(turn.row)):
        facts = _known(session, turn, _ledger(session, turn), confs.of(turn.row))
        decision = decide_next(facts)
        _keep(session, turn, decision)
    if decision is not None:
        with tolerated(_stays(turn.row)):
            _write(session, turn, decision)


def settle_requeued(session: Session, row: Any, marker: Marker) -> None:
    """Move a try that no spot machine could be found for to on-demand, if that is another place.

    :raises Exception: the database has given up Airflow's transaction.
    """
    if marker.capacity is not CapacityType.SPOT:
        return
    turn, decision = Turn(row, marker, Happened.NOTHING, row.try_number), None
    with apart(session, _stays(row)):
        if _moved(row, marker, CapacityType.ON_DEMAND) == _slot(row):
            return  # it would wait in the same queue, which tells nothing of spot machines
        decision = move_on_demand(_known(session, turn, _ledger(session, turn), {}))
        _keep(session, turn, decision)
    if decision is not None:
        counting.after_commit(session, _metrics(row).no_capacity)
        with tolerated(_stays(row)):
            _write(session, turn, decision)


def settle_queued(session: Session, row: Any, marker: Marker) -> None:
    """Place the attempt that is about to be handed to an executor."""
    settle(session, Turn(row, marker, Happened.NOTHING, row.try_number - 1), Confs(session))


def _stays(row: Any) -> str:
    return _STAYS % ascii(seam.key_of(row))


def _ledger(session: Session, turn: Turn) -> Ledger | None:
    try:
        ledger = Ledger.from_json(state_store.read_state(session, turn.row, KEY))
        ledger.at(turn.last + 1, turn.row.max_tries, turn.marker.budget)  # it refuses what cannot be at this attempt
    except (LedgerError, ValueError) as error:
        complaints.tell("A history cannot be read. It stays as it is, and the next attempt goes on demand.", error)
        return None
    return ledger


def _known(session: Session, turn: Turn, ledger: Ledger | None, conf: Mapping[str, Any]) -> Known:
    silent, key = turn.happened in (Happened.SILENT, Happened.LOST), seam.key_of(turn.row)
    return Known(
        marker=turn.marker,
        ledger=ledger,
        happened=turn.happened,
        last=turn.last,
        max_tries=turn.row.max_tries,
        conf=conf,
        found=known(session, key, turn.last, turn.said, turn.marker.capacity) if silent else None,
        reported=turn.kept.retry_reason if turn.happened is Happened.REPORTED else None,
        heard=_written(heard(turn.row, key, turn.last)) if silent else None,
        heard_for=seam.heard_for(turn.row) if turn.happened is Happened.SILENT else 0.0,
        now=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        jitter=_random.random(),
    )


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def _keep(session: Session, turn: Turn, decision: Decision) -> None:
    """Write down what is known of the last attempt: in the ledger, and in the row that keeps its try."""
    if decision.ledger is not None:
        state_store.write_state(session, turn.row, KEY, decision.ledger.to_json())
    if decision.verdict is None:
        return
    ended = turn.row if turn.kept is None else turn.kept
    delay = None if decision.delay is None else decision.delay.total_seconds()
    for each in (ended, turn.row):
        each.retry_reason = decision.verdict.reason
        if delay is not None:
            each.retry_delay_override = delay
    if turn.kept is None and turn.waits and seam.text_of(turn.row.state) == UP_FOR_RETRY:
        seam.record_try(session, turn.row)


def _write(session: Session, turn: Turn, decision: Decision) -> None:
    """Make the row what its next attempt needs, and count what has happened once it is committed."""
    for attempt, record in decision.counted:
        counting.after_commit(session, partial(_metrics(turn.row).interrupted, attempt, record))
    if decision.max_tries is not None:
        _set(turn.row, {"max_tries": decision.max_tries})
    if not turn.waits:
        return
    capacity = decision.placement.capacity
    placed = _moved(turn.row, turn.marker, capacity)
    config = without_marker(placed.executor_config)
    if tolerated_by(placed.executor):
        config = replace(turn.marker, capacity=capacity).to_config(config)
    _set(turn.row, {"queue": placed.queue, "executor": placed.executor, "executor_config": config})


def _set(row: Any, values: Mapping[str, Any]) -> None:
    """Write columns of a row.

    :raises ConfigurationError: Airflow could not keep a value; none is written.
    """
    if (reason := seam.unfit(values)) is not None:
        raise ConfigurationError(f"{reason}. Correct compute and compute_options, or the task's own compute.")
    for name, value in values.items():
        setattr(row, name, value)


def _slot(row: Any) -> Slot:
    return Slot(row.queue, row.executor, row.executor_config)


def _moved(row: Any, marker: Marker, capacity: CapacityType) -> Slot:
    settings = get_settings()
    default = ComputeChoice(settings.compute, settings.compute_options)
    return default.overridden_by(marker.compute).build().place(_slot(row), capacity)


def _metrics(row: Any) -> TaskMetrics:
    return TaskMetrics(stats_of(IN_SERVERS), row.dag_id, row.task_id)

# SPDX-License-Identifier: Apache-2.0
"""Place the next attempt of one task instance: what happened so far, what the rule says, what the row must become.

The server knows less than the worker did, and the same functions decide: what the worker wrote into the ledger is the
history; where it wrote nothing, the silence itself is judged.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute import ComputeChoice, Slot
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.delay import system_delay
from airflow_interruptible.core.history import Trace
from airflow_interruptible.core.verdict import Verdict, decide
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import KEY, Ledger, Record
from airflow_interruptible.marker import Marker, tolerated_by, without_marker
from airflow_interruptible.metrics import TaskMetrics, uncounted
from airflow_interruptible.server import counting, seam
from airflow_interruptible.server.silence import known
from airflow_interruptible.settings import get_settings
from airflow_interruptible.stats import IN_SERVERS, stats_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)


@dataclass
class Row:
    """A task instance of ours, in a transaction of the scheduler or the API server."""

    session: Session
    ti: Any
    marker: Marker

    def after_try(self, ended: Any, said: str | None = None) -> None:
        """Place the attempt that follows the try that ``ended`` records.

        A try that the worker reported is only followed. One that it did not is judged here as well, since the
        delay before the next attempt has to be set now.

        :param said: what the scheduler wrote of the executor's report, if that was how the end was noticed.
        """
        ledger = self._ledger(ended.try_number + 1)
        record = ledger.records.get(ended.try_number)
        reported = seam.state_change(self.ti) == (
            None,
            None,
        )  # the API server has not yet written what the worker asked for
        silent = record is None or record.cause is None
        if ended.try_number > ledger.base and silent and not reported:
            orphaned = self.ti.state is None
            cause = Cause.INFRASTRUCTURE if orphaned else None
            ledger, verdict = self._judge(ledger, ended.try_number, cause, said)
            self._explain(ended, verdict)
        self._place(ledger, ended.try_number + 1)

    def after_never_started(self, said: str | None = None) -> None:
        """Place the attempt that follows one that was lost while it was queued, which Airflow alone would not keep."""
        number = self.ti.try_number
        ledger, verdict = self._judge(self._ledger(number + 1), number, Cause.INFRASTRUCTURE, said)
        self._explain(self.ti, verdict)
        seam.record_try(self.session, self.ti)
        self._place(ledger, number + 1)

    def after_clear(self, ended: Any) -> None:
        """Start both budgets afresh, as Airflow does when it clears a task that has finished."""
        self.ti.max_tries = ended.try_number + self.marker.budget.total_retries
        ledger = self._ledger(ended.try_number + 1)
        record = ledger.records.get(ended.try_number, Record(self.marker.capacity))
        record = replace(
            record, cause=Cause.USER_ACTION, charge=Charge.NONE, ended=_now(), reason="cleared by a person"
        )
        self._write(ledger.with_record(ended.try_number, record))
        self._place(ledger, ended.try_number + 1)

    def after_requeue(self) -> None:
        """Move a try that no spot machine could be found for to on-demand. It has not failed: nobody is charged."""
        if self.marker.capacity is not CapacityType.SPOT:
            return
        number = self.ti.try_number
        reason, why = "no spot capacity: it was stuck in the queue", "no spot capacity could be found for it"
        ledger = self._ledger(number)
        begun = ledger.records.get(number) or Record()  # it may have been deferred, and waits to go on
        record = replace(begun, capacity=CapacityType.ON_DEMAND, reason=reason, why=why)
        self._write(ledger.with_record(number, record))
        counting.after_commit(self.session, self._metrics.no_capacity)
        self._move(CapacityType.ON_DEMAND)

    def place_first(self, conf: Mapping[str, Any]) -> None:
        """Place an attempt that nothing has happened to yet, in a run whose ``conf`` says something."""
        self._place(self._ledger(self.ti.try_number + 1), self.ti.try_number + 1, conf)

    def after_reset(self) -> None:
        """Place the next attempt of a task instance whose row a clear has set back to what the Dag file says."""
        self._place(self._ledger(self.ti.try_number + 1), self.ti.try_number + 1)

    def place_queued(self) -> None:
        """Place the attempt that is about to be handed to an executor."""
        self._place(self._ledger(self.ti.try_number), self.ti.try_number)

    @property
    def _metrics(self) -> TaskMetrics:
        return TaskMetrics(stats_of(IN_SERVERS), self.ti.dag_id, self.ti.task_id)

    @cached_property
    def _conf(self) -> Mapping[str, Any]:
        return self.ti.dag_run.conf or {}

    def _ledger(self, number: int) -> Ledger:
        try:
            ledger = Ledger.from_json(seam.read_state(self.session, self.ti, KEY))
            return ledger.at(number, self.ti.max_tries, self.marker.budget)
        except (LedgerError, ValueError) as error:
            log.warning("%s Every attempt is taken as the author's failure, which leads to on-demand soonest.", error)
            ledger = Ledger(records={n: Record(cause=Cause.UNKNOWN) for n in range(1, number)})
        return ledger.at(number, self.ti.max_tries, self.marker.budget)

    def _judge(self, ledger: Ledger, number: int, cause: Cause | None, said: str | None) -> tuple[Ledger, Verdict]:
        """Write down how an attempt ended that nobody reported: as ``cause``, unless something better is known."""
        found = known(self.session, seam.key_of(self.ti), number, said, self.marker.capacity)
        if found is not None and found.cause is not Cause.UNKNOWN:
            cause = found.cause
        before = ledger.history(self.marker.budget, self.marker.resolved(self._conf), before=number)
        before = replace(before, placed=self.marker.placed)
        record = ledger.records.get(number) or Record()
        capacity = record.capacity or self.marker.capacity  # its worker may have found its work elsewhere
        trace = Trace(capacity, cause, started=record.started is not None)
        verdict = decide(before, trace, "nobody reported its end" if found is None else found.reason)
        due = before.next_placement
        why = record.why or (due.why if due.capacity is capacity else None)
        record = replace(record, capacity=capacity, cause=cause, charge=verdict.charge, why=why)
        record = replace(record, ended=_now(), reason=verdict.reason, rule=None if found is None else found.rule)
        self._count(ledger, verdict, number, record)
        ledger = ledger.with_record(number, record)
        self._write(ledger)
        return ledger, verdict

    def _count(self, ledger: Ledger, verdict: Verdict, number: int, record: Record) -> None:
        for attempt in uncounted(ledger, verdict.history):
            if attempt.number == number:  # those before it are the next attempt's to count: it writes their charges
                counting.after_commit(self.session, partial(self._metrics.interrupted, attempt, record))

    def _explain(self, ended: Any, verdict: Verdict) -> None:
        """Tell Airflow when to try again, and people why."""
        self.ti.retry_reason = verdict.reason
        ended.retry_reason = verdict.reason
        if not verdict.retry:
            self.ti.retry_delay_override = 0.0  # the next attempt fails at once, with the reason; why wait for it
        elif verdict.charge is Charge.SYSTEM:
            row = verdict.history.account.row
            delay = system_delay(row, self.marker.system_retry_delay, random.random())
            self.ti.retry_delay_override = delay.total_seconds()

    def _place(self, ledger: Ledger, number: int, conf: Mapping[str, Any] | None = None) -> None:
        interruptible = self.marker.resolved(self._conf if conf is None else conf)
        history = ledger.history(self.marker.budget, interruptible, before=number)
        written = ledger.records.get(number)
        self._move((written and written.capacity) or history.next_placement.capacity)

    def _move(self, capacity: CapacityType) -> None:
        settings = get_settings()
        default = ComputeChoice(settings.compute, settings.compute_options)
        slot = Slot(self.ti.queue, self.ti.executor, self.ti.executor_config)
        placed = default.overridden_by(self.marker.compute).build().place(slot, capacity)
        self.marker = replace(self.marker, capacity=capacity)
        self.ti.queue = placed.queue
        self.ti.executor = placed.executor
        config = without_marker(placed.executor_config)
        self.ti.executor_config = self.marker.to_config(config) if tolerated_by(placed.executor) else config

    def _write(self, ledger: Ledger) -> None:
        seam.write_state(self.session, self.ti, KEY, ledger.to_json())


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")

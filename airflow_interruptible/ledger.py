# SPDX-License-Identifier: Apache-2.0
"""The ledger: what each attempt of one task instance ran on, where, and how it ended.

One JSON document per task instance, in Airflow's task state store, where the UI shows it in the Storage tab. It
outlives attempts and clears. This module knows the document; who reads and writes it, and when, is up to
:mod:`airflow_interruptible.worker` and :mod:`airflow_interruptible.server`.

Causes are the record, charges follow from them: ``charge`` is written for people who read the document, and worked out
anew from the causes whenever it matters, so that late evidence can overrule a presumption.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.history import History, Trace, replay
from airflow_interruptible.exceptions import LedgerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.core.budget import Budget

KEY = "interruptible"
"""The ledger's key in the task state store."""

_VERSION = 1
_KEPT = 200
_REASON_KEPT = 240


class NoticeHeard(TypedDict):
    """An announcement that the machine goes: who said it, when it was heard, when the machine was to go."""

    provider: str
    at: str
    deadline: str | None


class CheckpointUsed(TypedDict):
    """What an attempt did with ``checkpoint()``: when it last saved, and whether it found what an earlier one saved."""

    at: str | None
    loaded: bool


@dataclass(frozen=True)
class Record:
    """What is known of one attempt. Times are ISO 8601 with an offset.

    :param where: where it ran, such as ``host``, ``zone``, ``queue``; whatever helps to look there later.
    :param reason: the verdict's line, shortened.
    :param rule: the id of the rule that named the cause, see ``airflow interruptible explain``.
    :param why: why it was placed as it was, a clause that can follow "since".
    :param notice: the announcement that was heard, whatever came of it.
    :param checkpoint: None if it neither saved nor found one.
    """

    capacity: CapacityType | None = None
    cause: Cause | None = None
    charge: Charge | None = None
    started: str | None = None
    ended: str | None = None
    reason: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    rule: str | None = None
    why: str | None = None
    notice: NoticeHeard | None = None
    checkpoint: CheckpointUsed | None = None

    @property
    def trace(self) -> Trace:
        """What the core needs of this record."""
        return Trace(self.capacity, self.cause, started=self.started is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON, without what is not known."""
        known = {key: value for key, value in asdict(self).items() if value not in (None, {})}
        if self.reason:
            known["reason"] = self.reason[:_REASON_KEPT]
        return {key: getattr(value, "value", value) for key, value in known.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """Read what :meth:`to_json` wrote; fields of later versions are dropped."""
        return cls(
            capacity=CapacityType(value["capacity"]) if "capacity" in value else None,
            cause=Cause(value["cause"]) if "cause" in value else None,
            charge=Charge(value["charge"]) if "charge" in value else None,
            started=_text(value.get("started")),
            ended=_text(value.get("ended")),
            reason=_text(value.get("reason")),
            rule=_text(value.get("rule")),
            where=dict(value.get("where", {})),
            why=_text(value.get("why")),
            notice=_notice(value.get("notice")),
            checkpoint=_checkpoint(value.get("checkpoint")),
        )


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{value!r} is not text")


def _notice(value: Any) -> NoticeHeard | None:
    if value is None:
        return None
    return {"provider": str(value["provider"]), "at": str(value["at"]), "deadline": _text(value.get("deadline"))}


def _checkpoint(value: Any) -> CheckpointUsed | None:
    return None if value is None else {"at": _text(value.get("at")), "loaded": value.get("loaded") is True}


@dataclass(frozen=True)
class Ledger:
    """The document.

    :param max_tries: Airflow's ``max_tries``, as whoever wrote last found it.
    :param bases: the last attempt before each generation, oldest first: 0, then one for each clear.
    """

    max_tries: int | None = None
    bases: tuple[int, ...] = (0,)
    records: Mapping[int, Record] = field(default_factory=dict)

    @property
    def base(self) -> int:
        """The last attempt before the last clear; only later ones count."""
        return self.bases[-1]

    def cleared(self, attempt: int, max_tries: int) -> Ledger:
        """Return the ledger after a person cleared the task, of which ``attempt`` was the last: a new generation.

        The scheduler or the API server sees the clear and writes this down. To say it twice changes nothing.

        :param max_tries: Airflow's, as the clear leaves it.
        """
        earlier = tuple(known for known in self.bases if known < attempt)
        return replace(self, max_tries=max_tries, bases=(*earlier, attempt))

    def at(self, attempt: int, max_tries: int, budget: Budget) -> Ledger:
        """Return the ledger as attempt number ``attempt`` finds it, with the base of its own generation.

        Generations are written down by the server, which sees a clear. Where none is watching (an API server without
        this package, ``session_events = False``), the row's ``max_tries`` is another than the last writer's, or one
        that no budget of this task gives, and this attempt is the first that finds it so.
        """
        if self.max_tries == max_tries:
            return self
        unseen = max_tries > budget.total_retries if self.max_tries is None else attempt > 1
        return self.cleared(attempt - 1, max_tries) if unseen and attempt > 1 else replace(self, max_tries=max_tries)

    def history(self, budget: Budget, interruptible: bool, *, before: int) -> History:
        """Return what happened since the last clear and before attempt number ``before``."""
        traces = {number: record.trace for number, record in self.records.items()}
        return replay(budget, interruptible, traces, base=self.base, before=before, max_tries=self.max_tries)

    def with_record(self, attempt: int, record: Record) -> Ledger:
        """Return the ledger with ``record`` for ``attempt``.

        The oldest attempts beyond 200 are dropped, but none that counts: its absence would read as "never started".
        """
        records = {**self.records, attempt: record}
        latest = sorted(records)[-_KEPT:]
        kept = [number for number in sorted(records) if number > self.base or number in latest]
        return replace(self, records={number: records[number] for number in kept})

    def with_charges(self, history: History) -> Ledger:
        """Return the ledger with the charges of ``history`` written beside the causes, for people to read."""
        ledger = self
        for attempt in history.attempts:
            record = self.records.get(attempt.number, Record(capacity=attempt.capacity))
            if record.charge is not attempt.charge:
                ledger = ledger.with_record(attempt.number, replace(record, charge=attempt.charge))
        return ledger

    def to_json(self) -> dict[str, Any]:
        """Return the document."""
        attempts = {str(number): record.to_json() for number, record in sorted(self.records.items())}
        return {"version": _VERSION, "max_tries": self.max_tries, "bases": list(self.bases), "attempts": attempts}

    @classmethod
    def from_json(cls, document: object) -> Ledger:
        """Read the document; None is the empty ledger.

        :raises LedgerError: it is not what :meth:`to_json` wrote.
        """
        if document is None:
            return cls()
        try:
            return cls._read(document)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LedgerError(
                f"The history under {KEY!r} in the task state store is not a ledger ({error!r}). Somebody else "
                "wrote to it, or a newer airflow-interruptible did."
            ) from error

    @classmethod
    def _read(cls, document: Any) -> Ledger:
        if document["version"] != _VERSION:
            raise ValueError(f"version {document['version']!r}")
        max_tries, bases = document["max_tries"], tuple(document["bases"])
        if not isinstance(max_tries, int | None) or not bases or not all(isinstance(base, int) for base in bases):
            raise TypeError("max_tries and bases must be whole numbers")
        records = {int(number): Record.from_json(record) for number, record in document["attempts"].items()}
        return cls(max_tries, bases, records)

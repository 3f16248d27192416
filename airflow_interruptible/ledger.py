# SPDX-License-Identifier: Apache-2.0
"""The ledger: what each attempt of one task instance ran on, where, and how it ended.

One JSON document per task instance, in Airflow's task state store, where the UI shows it in the Storage tab. It
outlives attempts and clears. This module knows the document; who reads and writes it, and when, is up to
:mod:`airflow_interruptible.worker` and :mod:`airflow_interruptible.server`.

Causes are the record, charges follow from them: ``charge`` is written for people who read the document, and worked out
anew from the causes whenever it matters, so that late evidence can overrule a presumption.

Whoever may write to a task instance may write here, so the document is read as something that anybody may have forged:
what cannot be is refused, sizes are cut, and nothing loops over a number in it. See SECURITY.md.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_interruptible.core import bounded
from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.history import History, Trace, replay
from airflow_interruptible.exceptions import LedgerError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "interruptible"
"""The ledger's key in the task state store."""

_VERSION = 1
_KEPT = 200
_MOST = 2_000  # records; 64 KB, which Airflow keeps by default, hold fewer that say anything
_LONGEST = 10**9  # seconds
_REASON_KEPT = 240
_CAPACITIES: dict[object, CapacityType | None] = {None: None, **{each.value: each for each in CapacityType}}
_CAUSES: dict[object, Cause | None] = {None: None, **{each.value: each for each in Cause}}
_CHARGES: dict[object, Charge | None] = {None: None, **{each.value: each for each in Charge}}
_RULE = re.compile(r"[a-z0-9/-]{1,100}")
_RETRIES = 999_999
_NOWHERE: Mapping[str, Any] = MappingProxyType({})
_COLUMN = 2**31 - 1  # what Airflow's column max_tries holds


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
    :param told: when it was first told to stop, by a signal or a notice, whoever handled that. It is written at once,
        so that a death within the grace is no silence: such an attempt counts as if it had reported.
    :param checkpoint: None if it neither saved nor found one.
    :param error: what the author's exception said, masked and cut, see :mod:`airflow_interruptible.worker.error_line`.
    :param left: when it left its machine to go on later, deferred or rescheduled; None while it is at work.
    :param away: for how many whole seconds it had done so before it last came back.
    :param version: of this package, where the attempt ran.
    :param heard: its last heartbeat, where nobody reported its end: ``ended`` is then when a server noticed it.
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
    told: str | None = None
    error: str | None = None
    left: str | None = None
    away: int = 0
    version: str | None = None
    heard: str | None = None

    @property
    def trace(self) -> Trace:
        """What the core needs of this record."""
        return Trace(self.capacity, self.cause, started=self.started is not None, told=self.told is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON, without what is not known."""
        known = {key: value for key, value in asdict(self).items() if value not in (None, {}, 0)}
        if self.reason:
            known["reason"] = self.reason[:_REASON_KEPT]
        return {key: getattr(value, "value", value) for key, value in known.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """Read what :meth:`to_json` wrote; fields of later versions are dropped.

        :raises KeyError: there is no such capacity, cause or charge.
        :raises TypeError: a value is of another kind.
        :raises ValueError: a value cannot be.
        """
        known, rule = value.get, bounded.name(value.get("rule"))
        return cls(
            capacity=_CAPACITIES[known("capacity")],
            cause=_CAUSES[known("cause")],
            charge=_CHARGES[known("charge")],
            started=bounded.time(known("started")),
            ended=bounded.time(known("ended")),
            reason=bounded.text(known("reason")),
            rule=rule if rule is not None and _RULE.fullmatch(rule) else None,
            where=bounded.scalars(known("where", _NOWHERE)),
            why=bounded.text(known("why")),
            notice=_notice(known("notice")),
            checkpoint=_checkpoint(known("checkpoint")),
            told=bounded.time(known("told")),
            error=bounded.text(known("error")),
            left=bounded.time(known("left")),
            away=bounded.whole(known("away", 0), 0, _LONGEST),
            version=bounded.name(known("version")),
            heard=bounded.time(known("heard")),
        )


def _notice(value: Any) -> NoticeHeard | None:
    if value is None:
        return None
    provider, at = bounded.name(value["provider"]), bounded.text(value["at"], bounded.TIME)
    if provider is None or at is None:
        raise TypeError("a notice without provider or time")
    return {"provider": provider, "at": at, "deadline": bounded.text(value.get("deadline"), bounded.TIME)}


def _checkpoint(value: Any) -> CheckpointUsed | None:
    if value is None:
        return None
    return {"at": bounded.text(value.get("at"), bounded.TIME), "loaded": value.get("loaded") is True}


@dataclass(frozen=True)
class Terms:
    """By what the last worker counted, which is what the Dag file and the run said then.

    The server has a copy in its own rows (:mod:`airflow_interruptible.marker`), as of when the row was made.
    """

    budget: Budget
    interruptible: bool

    def to_json(self) -> dict[str, Any]:
        """Return the terms as JSON."""
        return {**asdict(self.budget), "interruptible": self.interruptible}

    @classmethod
    def from_json(cls, value: Any) -> Terms | None:
        """Read what :meth:`to_json` wrote; None is none.

        :raises TypeError: a value is of another kind.
        :raises ValueError: a value cannot be.
        """
        if value is None:
            return None
        user, system = (bounded.whole(value[name], 0, _RETRIES) for name in ("user_retries", "system_retries"))
        return cls(Budget(user, system), value["interruptible"] is True)


@dataclass(frozen=True)
class Ledger:
    """The document.

    :param max_tries: Airflow's ``max_tries``, as whoever wrote last found it.
    :param bases: the last attempt before each generation, oldest first: 0, then one for each clear.
    :param terms: None before a worker has counted in this generation.
    """

    max_tries: int | None = None
    bases: tuple[int, ...] = (0,)
    records: Mapping[int, Record] = field(default_factory=dict)
    terms: Terms | None = None

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
        return replace(self, max_tries=max_tries, bases=(*earlier, attempt), terms=None)

    def at(self, attempt: int, max_tries: int, budget: Budget) -> Ledger:
        """Return the ledger as attempt number ``attempt`` finds it, with the base of its own generation.

        Generations are written down by the server, which sees a clear. Where none is watching (an API server without
        this package, ``session_events = False``), the row's ``max_tries`` is another than the last writer's, or one
        that no budget of this task gives, and this attempt is the first that finds it so.

        :param attempt: Airflow's try number, which is 0 in ``airflow tasks test``.
        :raises LedgerError: it says that the task was cleared after an attempt that there was not yet.
        """
        attempt = max(attempt, 1)
        if self.base >= attempt:
            raise _refused(f"attempt {attempt} cannot come before the clear after attempt {self.base}")
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
        return replace(self, records=self._kept({**self.records, attempt: record}))

    def _kept(self, records: Mapping[int, Record]) -> dict[int, Record]:
        numbers = sorted(records)
        latest = set(numbers[-_KEPT:])
        return {number: records[number] for number in numbers if number > self.base or number in latest}

    def with_charges(self, history: History) -> Ledger:
        """Return the ledger with the charges of ``history`` written beside the causes, for people to read."""
        records = dict(self.records)
        for attempt in history.attempts:
            record = records.get(attempt.number, Record(capacity=attempt.capacity))
            if record.charge is not attempt.charge:
                records[attempt.number] = replace(record, charge=attempt.charge)
        return self if records == self.records else replace(self, records=self._kept(records))

    def to_json(self) -> dict[str, Any]:
        """Return the document."""
        attempts = {str(number): record.to_json() for number, record in sorted(self.records.items())}
        known: dict[str, Any] = {"version": _VERSION, "max_tries": self.max_tries, "bases": list(self.bases)}
        if self.terms is not None:
            known["terms"] = self.terms.to_json()
        return {**known, "attempts": attempts}

    @classmethod
    def from_json(cls, document: object) -> Ledger:
        """Read the document; None is the empty ledger.

        :raises LedgerError: it is not what :meth:`to_json` wrote.
        """
        if document is None:
            return cls()
        try:
            return cls._read(document)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _refused(repr(error)[: bounded.SENTENCE]) from error

    @classmethod
    def _read(cls, document: Any) -> Ledger:
        if document["version"] != _VERSION:
            raise ValueError("another version")
        max_tries, attempts, written = document["max_tries"], document["attempts"], tuple(document["bases"])
        if max_tries is not None:
            bounded.whole(max_tries, -1, _COLUMN)
        if len(attempts) > _MOST:
            raise ValueError(f"{len(attempts)} attempts")
        bases = [0] if written == (0,) else [bounded.whole(base, 0, bounded.LAST_ATTEMPT) for base in written]
        if not bases or any(later <= earlier for earlier, later in pairwise(bases)):
            raise ValueError("bases that do not rise")
        records = {bounded.attempt_number(number): Record.from_json(record) for number, record in attempts.items()}
        return cls(max_tries, tuple(bases[-len(records) - 1 :]), records, Terms.from_json(document.get("terms")))


def _refused(why: str) -> LedgerError:
    return LedgerError(
        f"The history under {KEY!r} in the task state store is not a ledger ({why}). Somebody else wrote to it, or a "
        "newer airflow-interruptible did. It is left as it is."
    )

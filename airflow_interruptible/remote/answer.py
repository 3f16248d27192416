# SPDX-License-Identifier: Apache-2.0
"""What a service answered about something of ours, on its way to evidence.

It must not know any service. The surprising fact: most of an answer is thrown away, because what the author wrote into
a job (environment, arguments, labels) may hold secrets, or words that sound like a vendor's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.classification import classify
from airflow_interruptible.core.payload import read
from airflow_interruptible.rules import DEFAULT_RULES, DEFAULT_SURFACES

if TYPE_CHECKING:
    from airflow_interruptible.core.classification import Classification
    from airflow_interruptible.core.evidence import Evidence, Identity

_NANOSECONDS = re.compile(r"(\.\d{6})\d+")
"""More digits than Python reads; Google sends nine."""

SKEW = timedelta(minutes=2)
"""By how much the clocks of this machine and of a service may differ."""


@dataclass(frozen=True)
class Answer:
    """One answer.

    :param service: who answered, as the rules spell it.
    :param surface: the call that was made.
    :param payload: the fields of the answer that count.
    :param known: what is known besides, see :mod:`airflow_interruptible.core.context`.
    :param about: the machines or pods it is about, where the payload's own fields do not say so.
    """

    service: str
    surface: str
    payload: Mapping[str, Any]
    known: Mapping[str, Any] = field(default_factory=dict)
    about: frozenset[Identity] = frozenset()

    def evidence(self) -> Evidence:
        """Return the answer as the core reads it."""
        evidence = read(self.service, self.surface, dict(self.payload), self.known, surfaces=DEFAULT_SURFACES)
        return replace(evidence, names=evidence.names | self.about)

    @property
    def cause(self) -> Cause:
        """What the rules make of it, to tell whether it is worth asking further."""
        return self.classified().cause

    def classified(self) -> Classification:
        """Hold the answer against the rules."""
        return classify(self.evidence(), DEFAULT_RULES)

    def with_fields(self, **fields: Any) -> Answer:
        """Return the answer with more fields."""
        return replace(self, payload={**self.payload, **fields})

    def on(self, capacity: str | None) -> Answer:
        """Return the answer with the capacity known, if it is."""
        return self if capacity is None else replace(self, known={**self.known, "capacity": capacity})


def least_forgiving(answers: Iterable[Answer]) -> Answer | None:
    """Return the answer that decides when several parts of one job have failed.

    A part that failed by the author's fault would fail the job again, whatever happened to the others; and one that
    nobody can explain may have been the author's.
    """
    return min(answers, key=lambda answer: _LENIENCE.get(answer.cause, 2), default=None)


_LENIENCE = {Cause.APPLICATION: 0, Cause.USER_ACTION: 0, Cause.UNKNOWN: 1}


def pick(answer: object, *names: str) -> dict[str, Any]:
    """Return these fields of an answer, as far as they are there."""
    if not isinstance(answer, Mapping):
        return {}
    return {name: answer[name] for name in names if answer.get(name) is not None}


def each(answer: object, name: str) -> list[Mapping[str, Any]]:
    """Return the objects in the list that an answer holds under ``name``."""
    items = answer.get(name) if isinstance(answer, Mapping) else None
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, (list, tuple)) else []


def inside(answer: object, *path: str) -> Mapping[str, Any]:
    """Return the object at ``path`` inside an answer, or an empty one."""
    for name in path:
        answer = answer.get(name) if isinstance(answer, Mapping) else None
    return answer if isinstance(answer, Mapping) else {}


def moment(value: object) -> datetime | None:
    """Return a time with an offset, from a ``datetime`` or ISO 8601 text. Anything else, and a naive time, is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(_NANOSECONDS.sub(r"\1", value).replace("Z", "+00:00"))
        except ValueError:
            return None
    return value.astimezone(timezone.utc) if isinstance(value, datetime) and value.tzinfo is not None else None

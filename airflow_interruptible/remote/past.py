# SPDX-License-Identifier: Apache-2.0
"""An attempt that is over, as far as the ledger knows it. It must not know any service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.answer import SKEW, Answer, moment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_interruptible.core.capacity import CapacityType

MACHINES = ("instance_id", "node", "vm")
"""Where the attempt ran, as :mod:`airflow_interruptible.core.context` spells it."""


@dataclass(frozen=True)
class Past:
    """The attempt.

    :param where: what :func:`airflow_interruptible.remote.here` said in its process.
    :param capacity: what it ran on, None if unknown.
    :param since: when it started. What ended before that is about something else, by the same name.
    :param task: the operator, as the next attempt is about to run it; None where it is not known.
    """

    where: Mapping[str, str]
    capacity: CapacityType | None = None
    since: datetime | None = None
    task: Any = None

    def tell(self, answer: Answer) -> Answer:
        """Return the answer with what the ledger knows besides."""
        known: dict[str, Any] = {name: self.where[name] for name in MACHINES if name in self.where}
        if self.capacity is not None:
            known["capacity"] = self.capacity.value
        return replace(answer, known={**known, **answer.known})

    def saw(self, at: object) -> bool:
        """Whether something that happened then, by a service's clock, may have ended the attempt.

        Without a start, anything may.
        """
        then = moment(at)
        return self.since is None or (then is not None and then >= self.since - SKEW)

    def saw_here(self, at: object) -> bool:
        """The same of something that its own machine has stamped, which it does in whole seconds."""
        then = moment(at)
        return self.since is None or (then is not None and then >= self.since.replace(microsecond=0))

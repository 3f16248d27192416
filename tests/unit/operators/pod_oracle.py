# SPDX-License-Identifier: Apache-2.0
"""Who pays for an attempt, and where the next one belongs: the contract told once more, of what is true in the world.

Nothing of the product is asked. Where the evidence was gone before anybody could read it, or the API did not answer,
both accounts are right; then the product's own choice is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_interruptible.core.cause import Charge

if TYPE_CHECKING:
    from unit.operators.pod_attempts import Attempt

SYSTEM, USER, EITHER = {Charge.SYSTEM}, {Charge.USER}, {Charge.SYSTEM, Charge.USER}
OWN = ("exit", "oom")
TAKEN = ("drain", "preempt", "shutdown", "abrupt", "pressure")


@dataclass
class Oracle:
    """The two budgets, as the table of the contract counts them."""

    user_retries: int
    system_retries: int
    user: int = 0
    system: int = 0
    attempts: int = 0
    no_room: bool = False

    @property
    def over(self) -> bool:
        return self.user > self.user_retries or self.attempts > self.user_retries + self.system_retries

    @property
    def last(self) -> bool:
        """Whether the next attempt is the last user attempt, or the last that Airflow allows."""
        return self.user >= self.user_retries or self.attempts >= self.user_retries + self.system_retries

    @property
    def due(self) -> str:
        """What the next attempt has to ask for."""
        spent = 0 < self.system_retries <= self.system
        return "on-demand" if self.last or spent or self.no_room else "spot"

    def count(self, charge: Charge, *, no_room: bool) -> None:
        self.attempts += 1
        self.user += charge is Charge.USER
        self.system += charge is Charge.SYSTEM
        self.no_room = no_room

    def charges(self, attempt: Attempt) -> set[Charge]:
        """Return to whom an attempt may be charged whose worker has reported its end."""
        if self.system >= self.system_retries:
            return USER
        if attempt.how == "told":
            return EITHER if marks_of(attempt) and first_of(attempt) in OWN else SYSTEM
        return _of_error(attempt)

    def charges_of_silence(self, attempt: Attempt, *, blind: bool) -> set[Charge]:
        """Return to whom an attempt may be charged that nobody reported. To be asked when the next one begins.

        :param blind: whether the API may refuse to show what is left of it.
        """
        if self.system >= self.system_retries:
            return USER
        return SYSTEM if attempt.how == "told, silent" else _of_silence(attempt, self.due, blind=blind)


def marks_of(attempt: Attempt, until: float | None = None) -> list[tuple[float, str]]:
    """What befell the pod of an attempt, in order; until the attempt had ended, unless something else is said."""
    marks = attempt.life.marks if attempt.life is not None else []
    return [(at, what) for at, what in marks if at <= (attempt.ended if until is None else until)]


def first_of(attempt: Attempt, until: float | None = None) -> str | None:
    """What came first. What came within one second has no order, since Kubernetes writes no more than seconds."""
    marks = marks_of(attempt, until)
    return marks[0][1] if marks else None


def found_no_room(attempt: Attempt) -> bool:
    """Whether its pod never had a node."""
    return attempt.life is not None and attempt.life.pod.spec.node_name is None


def _disputed(marks: list[tuple[float, str]]) -> bool:
    """Whether something of another account happened in the second of what came first."""
    return len({what in TAKEN for at, what in marks if int(at) == int(marks[0][0])}) > 1


def _of_error(attempt: Attempt) -> set[Charge]:
    life, marks = attempt.life, marks_of(attempt)
    if life is None:
        return USER  # it launched nothing
    if found_no_room(attempt):
        return EITHER if attempt.world.failed else SYSTEM
    shown = {what for name, what in attempt.world.shown if name == life.name}
    first = marks[0][1] if marks else None
    if first in OWN:
        return USER if "ended" in shown and not _disputed(marks) else EITHER
    if first in TAKEN:
        # A node that is gone is no proof on demand: an autoscaler removes one whose last pod somebody has deleted.
        known = "told" in shown or (first == "abrupt" and life.gone and life.capacity == "spot")
        also_own = any(what in OWN for _, what in marks)
        return SYSTEM if known and not attempt.world.failed and not also_own else EITHER
    return EITHER if any(what in TAKEN for _, what in marks) else USER


def _of_silence(attempt: Attempt, due: str, *, blind: bool) -> set[Charge]:
    life, marks = attempt.life, marks_of(attempt, attempt.world.now)
    presumed = SYSTEM if (life.capacity if life is not None else due) == "spot" else USER
    if life is None:
        return presumed
    first = marks[0][1] if marks else None
    if first in OWN:
        seen = EITHER if _disputed(marks) else USER
    elif first == "person":
        seen = presumed if life.gone else EITHER
    else:
        seen = SYSTEM  # it was taken, or only its worker was lost
    certain = not (life.gone or life.lost or blind) and attempt.wrote_its_pod
    return seen if certain else seen | presumed

# SPDX-License-Identifier: Apache-2.0
"""Told to stop: what an attempt does from the first word of it until its code has been left.

::

    WATCHING --told--> TOLD --------> STOPPING ------> WAITING ----> RAISING --+
        |                | no request    | on_kill()      | the work    ^      | again, while
        |                | under way,    | returned       | has ended   +------+ the code goes on
        |                | patience over |                | or deadline
        |                +---------------+----------------+-------------+
        | the code is left                                              v
        +--> WATCHING, outside (a signal there is told as well)        LEFT

One state machine, stepped by whoever learns something: a signal handler, which may be entered again at every line of
the code below it, and a thread. Pure: it decides what is to be done next, and knows neither signals nor threads nor
the time. All times are seconds of one clock that never goes back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

AGAIN_SECONDS = 1.0
"""How long the code has to leave before the interruption is raised once more."""


class Phase(Enum):
    """Where an attempt is between work and end."""

    WATCHING = "watching"
    TOLD = "told"
    STOPPING = "stopping"
    WAITING = "waiting"
    RAISING = "raising"
    LEFT = "left"


class Step(Enum):
    """What is to be done now."""

    GO_ON = "go on"
    STOP_THE_WORK = "stop the work"
    RAISE = "raise"


@dataclass
class Stopping:
    """The state of one attempt. Told by any thread, at any time; stepped by one at a time.

    :param outside: whether ``execute`` has been left, untold.
    """

    outside: bool = False
    _phase: Phase = Phase.WATCHING
    _raised: float = -math.inf
    _words: list[tuple[float, float]] = field(default_factory=list)  # only ever added to, which no thread can lose

    @property
    def phase(self) -> Phase:
        """Where the attempt is."""
        return Phase.TOLD if self._phase is Phase.WATCHING and self._words else self._phase

    @property
    def told(self) -> bool:
        """Whether the attempt was told to stop."""
        return bool(self._words)

    @property
    def deadline(self) -> float:
        """Until when the work is waited for, and clean-up left in peace."""
        return min((deadline for deadline, _ in self._words), default=math.inf)

    @property
    def patience(self) -> float:
        """Until when the code is left alone because it has its own way to end."""
        return min((min(word) for word in self._words), default=math.inf)

    def tell(self, deadline: float, patience: float) -> None:
        """Take note that the attempt is told to stop, for the first time or again: only less time is left by that.

        :param patience: until when the code is left alone because it has its own way to end: a handler of its own, a
            callback that runs, an error on its way out, nothing left to do but to report.
        """
        self._words.append((deadline, patience))

    def step(self, now: float, *, busy: bool, unwinding: bool, ended: bool) -> Step:
        """Return what is to be done now. Whoever is told to stop the work says :meth:`stopped` when that is done.

        :param busy: a request to the supervisor is under way, which must get its response first.
        :param unwinding: an interruption that was raised is on its way out: the code cleans up.
        :param ended: the work that was started elsewhere has ended.
        """
        if busy:
            return Step.GO_ON
        late = now >= self.deadline
        if self.phase is Phase.TOLD and (late or now >= self.patience):
            self._phase = Phase.STOPPING
            return Step.STOP_THE_WORK
        if self.phase is Phase.WAITING and (ended or late):
            return self._raise(now)
        if self.phase is Phase.RAISING and now >= self._raised + AGAIN_SECONDS and (late or not unwinding):
            return self._raise(now)
        return Step.GO_ON

    def stopped(self) -> None:
        """Take note that the work was told to end."""
        if self.phase is Phase.STOPPING:
            self._phase = Phase.WAITING

    def leave(self) -> bool:
        """Take note that the code has been left; return whether the work is still to be stopped."""
        if not self.told:
            self.outside = True
            return False
        unstopped = self.phase is Phase.TOLD
        self._phase = Phase.LEFT
        return unstopped

    def _raise(self, now: float) -> Step:
        self._phase, self._raised = Phase.RAISING, now
        return Step.RAISE

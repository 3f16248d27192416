# SPDX-License-Identifier: Apache-2.0
"""How an attempt ended as far as anybody knows, and what is presumed where nobody reported.

Most endings name their cause. Silence does not: an attempt that started and was never heard of again is
presumed to have been interrupted on spot, since that is what spot machines do, and is charged to the author
on demand, where a crash of the code itself is the likelier story. One that was told to stop before it fell silent
ended as it would have reported: that its machine went is no guess then.
"""

from __future__ import annotations

from enum import Enum

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause


class Ending(str, Enum):
    """How an attempt ended. The values are the outcomes that ``airflow interruptible plan`` accepts."""

    INTERRUPTION = "interruption"
    INFRASTRUCTURE = "infrastructure"
    NO_CAPACITY = "no_capacity"
    VANISHED = "vanished"
    """It started and never reported."""
    NEVER_STARTED = "never_started"
    """No trace of it: it was lost before its first line ran."""
    APPLICATION = "application"
    CLEARED = "cleared"
    """A person cleared the task: both budgets start afresh."""
    SUCCESS = "success"

    @classmethod
    def of_silence(cls, capacity: CapacityType, *, started: bool, told: bool = False) -> Ending:
        """Return what is presumed of an attempt that nobody reported.

        :param capacity: what it ran on.
        :param started: whether the task's own process was seen to run.
        :param told: whether that process was told to stop, by a signal or a notice.
        """
        if told:
            return cls.INTERRUPTION if capacity is CapacityType.SPOT else cls.INFRASTRUCTURE
        return cls.VANISHED if started else cls.NEVER_STARTED

    def cause_on(self, capacity: CapacityType) -> Cause | None:
        """Return the cause to charge for this ending on that capacity; None for a success."""
        if self is Ending.VANISHED:
            return Cause.SPOT_INTERRUPTION if capacity is CapacityType.SPOT else Cause.UNKNOWN
        return _CAUSES.get(self)


_CAUSES = {
    Ending.INTERRUPTION: Cause.SPOT_INTERRUPTION,
    Ending.INFRASTRUCTURE: Cause.INFRASTRUCTURE,
    Ending.NO_CAPACITY: Cause.NO_CAPACITY,
    Ending.NEVER_STARTED: Cause.INFRASTRUCTURE,
    Ending.APPLICATION: Cause.APPLICATION,
    Ending.CLEARED: Cause.USER_ACTION,
}

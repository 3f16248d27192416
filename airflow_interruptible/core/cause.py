# SPDX-License-Identifier: Apache-2.0
"""Why an attempt ended, and whose account it is charged to.

A :class:`Cause` says what happened; :attr:`Cause.charge` says who pays as long as somebody's
budget lasts. How many can be paid for is not known here: see :mod:`airflow_interruptible.core.budget`.
"""

from __future__ import annotations

from enum import Enum


class Charge(str, Enum):
    """The account that a failed attempt draws on."""

    SYSTEM = "system"
    """The platform's: forgiven while ``system_retries`` last."""

    USER = "user"
    """The author's ``retries``."""

    NONE = "none"
    """Nobody's: the attempt did not fail, or a person ended it."""


class Cause(str, Enum):
    """What ended an attempt. The values are part of the machine-readable output."""

    SPOT_INTERRUPTION = "spot_interruption"
    """The provider took spot capacity back."""

    INFRASTRUCTURE = "infrastructure"
    """The platform lost the attempt some other way: a node lost or drained, a worker gone, never started."""

    NO_CAPACITY = "no_capacity"
    """Spot capacity could not be had."""

    APPLICATION = "application"
    """The author's code or settings: an exception, its own time-out, its own out-of-memory kill."""

    USER_ACTION = "user_action"
    """A person cleared the task or marked it failed or succeeded."""

    UNKNOWN = "unknown"
    """No evidence either way. Charged to the author, since forgiving it could loop for ever."""

    @property
    def charge(self) -> Charge:
        """The account this cause draws on while that account lasts."""
        return _CHARGES[self]


_CHARGES = {
    Cause.SPOT_INTERRUPTION: Charge.SYSTEM,
    Cause.INFRASTRUCTURE: Charge.SYSTEM,
    Cause.NO_CAPACITY: Charge.SYSTEM,
    Cause.APPLICATION: Charge.USER,
    Cause.UNKNOWN: Charge.USER,
    Cause.USER_ACTION: Charge.NONE,
}

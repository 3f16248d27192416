# SPDX-License-Identifier: Apache-2.0
"""What a cloud said about the end of this machine, in one vocabulary.

Decides how a vendor's time is read. Must not know HTTP, threads or Airflow. The surprising fact: a notice may come
without a usable time (EC2 hibernation, an Azure event that has already started), so ``deadline`` can be None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class NoticeKind(str, Enum):
    """What will happen to the machine. The value is what the ledger and the log show."""

    TERMINATE = "terminate"
    """The machine is deleted."""

    STOP = "stop"
    """The machine is stopped; its disks stay."""

    HIBERNATE = "hibernate"
    """The machine is frozen to disk. On EC2 this begins at once: there is no warning time."""

    PREEMPT = "preempt"
    """The vendor takes the capacity back, and stops or deletes the machine as it was set up to."""


@dataclass(frozen=True)
class Notice:
    """One notice that this machine will be reclaimed.

    ``provider`` is ``ec2``, ``gce`` or ``azure``. ``deadline`` is when the machine goes (UTC), or None when the vendor
    gave no usable time: then assume that no time is left. ``detected`` is when we read it (UTC). ``detail`` holds the
    vendor's own fields as text, under the vendor's own names.
    """

    provider: str
    kind: NoticeKind
    deadline: datetime | None
    detected: datetime
    detail: Mapping[str, str] = field(default_factory=dict, hash=False)

    def seconds_left(self, now: datetime | None = None) -> float | None:
        """Seconds until the deadline, never below 0; None when there is no deadline.

        ``now`` must be timezone-aware; the default is the current time.
        """
        if self.deadline is None:
            return None
        return max(0.0, (self.deadline - (now or utc_now())).total_seconds())

    @property
    def is_reclaim(self) -> bool:
        """Whether spot capacity is taken back.

        Azure announces as ``Terminate`` a machine that a person or a scale set deletes
        (https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events).
        """
        return not (self.provider == "azure" and self.kind is NoticeKind.TERMINATE)

    def __str__(self) -> str:
        when = f"at {self.deadline.isoformat(timespec='seconds')}" if self.deadline else "at a time not given"
        return f"{self.provider} will {self.kind.value} this machine {when}"


def utc_now() -> datetime:
    """Return the current time, timezone-aware."""
    return datetime.now(timezone.utc)


def parse_time(text: object) -> datetime | None:
    """Read a vendor's time: ISO 8601 (EC2) or RFC 1123 (Azure). None when it is not a time.

    A time without a zone is UTC: both vendors document UTC.
    """
    if not isinstance(text, str):
        return None
    try:
        moment = _from_iso(text.strip()) or parsedate_to_datetime(text)
        return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    except (ValueError, TypeError, OverflowError, IndexError):  # what the e-mail parser raises varies with its input
        return None


def _from_iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.removesuffix("Z"))  # Python 3.10 does not read the "Z" that EC2 writes
    except ValueError:
        return None

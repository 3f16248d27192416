# SPDX-License-Identifier: Apache-2.0
"""What is known in the scheduler of the end of an attempt that its worker did not report.

Nothing is asked for here: this runs inside the scheduler's transaction. There is what ``spot_timeout`` found out
before, and as the last resort what the executor said; KubernetesExecutor says ``Pod failed because of`` and the reason
in the pod's status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.server import lookout, unplaced

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.core.classification import Classification
    from airflow_interruptible.server.seam import Key

_EXTRA = " Extra info: "
"""What ``process_executor_events`` puts before the executor's own words."""


def known(session: Session, key: Key, number: int, said: str | None, capacity: CapacityType) -> Classification | None:
    """Return why the attempt ended, None if nobody says anything that a rule understands.

    :param said: the scheduler's message about the executor's report, None if there was none.
    :param capacity: what the attempt ran on.
    """
    found = unplaced.found(session, key) or lookout.found.known(key, number)
    if found is not None or said is None:
        return found
    words = said.partition(_EXTRA)[2]
    return _understood(words, capacity) if words else None


def heard(row: Any, key: Key, number: int) -> datetime | None:
    """Return when the attempt was last heard of, None if it never was.

    :param row: of its task instance. Its heartbeat is no longer its own where the attempt was found to be gone.
    """
    at: datetime | None = lookout.found.heard(key, number) or getattr(row, "last_heartbeat_at", None)  # only told
    return at


def _understood(words: str, capacity: CapacityType) -> Classification | None:
    # Loaded only when an executor has said something: the rules are most of what this package weighs.
    from airflow_interruptible.core.classification import classify
    from airflow_interruptible.core.payload import read
    from airflow_interruptible.rules import DEFAULT_RULES, DEFAULT_SURFACES

    evidence = read("airflow", "executor event", words, {"capacity": capacity.value}, surfaces=DEFAULT_SURFACES)
    answer = classify(evidence, DEFAULT_RULES)
    return None if answer.cause is Cause.UNKNOWN else answer

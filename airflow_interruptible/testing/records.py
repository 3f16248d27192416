# SPDX-License-Identifier: Apache-2.0
"""What Airflow's REST API says of runs and task instances, as far as the lab needs it. Values only, no requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_MAPPED = -1


@dataclass(frozen=True)
class DagRun:
    """A run of a Dag.

    :param state: as it was when asked for: ``queued``, ``running``, ``success`` or ``failed``.
    """

    dag_id: str
    run_id: str
    state: str
    conf: Mapping[str, Any]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> DagRun:
        """Read the REST API's answer."""
        return cls(answer["dag_id"], answer["dag_run_id"], answer["state"], answer["conf"] or {})


@dataclass(frozen=True)
class Try:
    """A task instance as one of its tries left it, or as the present try has it now.

    :param state: None before it was scheduled.
    :param max_tries: as of this try; ``retries`` plus the tries before the last clear.
    :param pid: of the task process, not of its supervisor; stays after the try has ended.
    :param executor: None is the default executor.
    :param executor_config: as text, for this is how the API gives it.
    """

    task_id: str
    map_index: int
    try_number: int
    max_tries: int
    state: str | None
    queue: str | None
    pool: str
    executor: str | None
    executor_config: str
    operator: str | None
    hostname: str | None
    pid: int | None
    queued_at: datetime | None
    start_date: datetime | None
    end_date: datetime | None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Try:
        """Read the REST API's answer, for the present try or for an earlier one."""
        return cls(
            task_id=answer["task_id"],
            map_index=answer["map_index"],
            try_number=answer["try_number"],
            max_tries=answer["max_tries"],
            state=answer["state"],
            queue=answer["queue"],
            pool=answer["pool"],
            executor=answer["executor"],
            executor_config=answer["executor_config"],
            operator=answer["operator_name"],
            hostname=answer["hostname"],
            pid=answer["pid"],
            queued_at=_moment(answer["queued_when"]),
            start_date=_moment(answer["start_date"]),
            end_date=_moment(answer["end_date"]),
        )

    def __str__(self) -> str:
        """Say it in a few words, for the message of a time-out."""
        return f"try {self.try_number} of {self.max_tries + 1} {self.state}"


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))

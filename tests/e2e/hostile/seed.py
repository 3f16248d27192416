# SPDX-License-Identifier: Apache-2.0
"""In the environment of a stack: let every task of a run be one that a dead machine ran, with forged papers.

``python -m e2e.hostile.seed RUN_ID ...``. The scheduler's search for late heartbeats finds them all at once.
"""

from __future__ import annotations

import sys
from datetime import timedelta

from airflow.jobs.job import Job
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance
from airflow.sdk.timezone import utcnow
from airflow.utils.session import create_session
from forged import FORGED, MARKERS
from sqlalchemy import select

from airflow_interruptible.ledger import KEY
from airflow_interruptible.server import seam


def close_pool() -> None:
    """Let nothing of it be queued."""
    Pool.create_or_update_pool("closed", slots=0, description="for tests", include_deferred=False)


def kill(run_ids: list[str]) -> None:
    """Let every task of the runs have been at work on a machine that nobody has heard of for an hour."""
    with create_session(scoped=False) as session:
        scheduler = session.scalars(
            select(Job.id).where(Job.job_type == "SchedulerJob", Job.state == "running").order_by(Job.id.desc())
        ).first()
        rows = session.scalars(select(TaskInstance).where(TaskInstance.run_id.in_(run_ids))).all()
        for number, row in enumerate(rows):
            seam.write_state(session, row, KEY, FORGED[number % len(FORGED)])
            if number % 2:
                row.executor_config = {**row.executor_config, "interruptible": MARKERS[number // 2 % len(MARKERS)]}
        session.flush()
        for row in rows:
            row.state, row.try_number, row.queued_by_job_id = "running", 1, scheduler
            row.start_date = row.last_heartbeat_at = utcnow() - timedelta(hours=1)


if __name__ == "__main__":
    close_pool() if sys.argv[1:] == ["--pool"] else kill(sys.argv[1:])

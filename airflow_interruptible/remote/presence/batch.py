# SPDX-License-Identifier: Apache-2.0
"""Jobs of AWS Batch under AwsBatchExecutor, a hundred in a call: by the id that the ledger or the executor knows.

A job that Batch has started anew is another container, so its attempts so far prove the end of ours, by their number.
https://docs.aws.amazon.com/batch/latest/APIReference/API_DescribeJobs.html
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import Answer, each, pick
from airflow_interruptible.remote.batch import end_of_try
from airflow_interruptible.remote.presence import Life, Proof, Token, chunks, may_be_of, named_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EXECUTOR = "BatchExecutor"
_SECTION = "aws_batch_executor"
_ENDED = frozenset(("FAILED", "SUCCEEDED"))
_IN_A_CALL = 100
_JOB = re.compile(r"[0-9a-f-]{1,36}(:\d+)?")


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts whose job, or whose container of that job, has ended."""
    named = named_by(lives, _EXECUTOR, "batch_job", _JOB)
    if not named:
        return
    client = aws.executor_client("batch", _SECTION)
    for some in chunks(named, _IN_A_CALL):
        for job in each(client.describe_jobs(jobs=list(some)), "jobs"):
            token = some.get(str(job.get("jobId")))
            if token is None or not may_be_of(lives[token], _created(job)):
                continue
            if fields := _end(job, lives[token]):
                reason = Answer("batch", "DescribeJobs", fields).classified()
                yield token, Proof(f"its Batch job {job['jobId']}", reason)


def _created(job: Mapping[str, Any]) -> datetime | None:
    milliseconds = job.get("createdAt")
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc) if isinstance(milliseconds, int) else None


def _end(job: Mapping[str, Any], life: Life) -> dict[str, Any]:
    """What Batch says of the end of our container, nothing if it may be at work."""
    tries, ours = each(job, "attempts"), life.where.get("batch_attempt", "")
    if ours.isdecimal() and 0 < int(ours) <= len(tries):
        return end_of_try(tries[int(ours) - 1])
    return {**pick(job, "status"), **end_of_try(job)} if job.get("status") in _ENDED else {}

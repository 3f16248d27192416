# SPDX-License-Identifier: Apache-2.0
"""Jobs of AWS Batch under AwsBatchExecutor, by the id that the executor wrote down: a hundred in a call.

A job that Batch has started anew is another container, so its attempts so far prove the end of ours, by their number.
https://docs.aws.amazon.com/batch/latest/APIReference/API_DescribeJobs.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import Answer, each, inside, pick
from airflow_interruptible.remote.presence import Life, Proof, Token, chunks, named_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EXECUTOR = "BatchExecutor"
_SECTION = "aws_batch_executor"
_ENDED = frozenset(("FAILED", "SUCCEEDED"))
_IN_A_CALL = 100


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts whose job, or whose container of that job, has ended."""
    named = named_by(lives, _EXECUTOR)
    if not named:
        return
    client = aws.executor_client("batch", _SECTION)
    for some in chunks(named, _IN_A_CALL):
        for job in each(client.describe_jobs(jobs=list(some)), "jobs"):
            token = some.get(str(job.get("jobId")))
            if token is not None and (fields := _end(job, lives[token])):
                reason = Answer("batch", "DescribeJobs", fields).classified()
                yield token, Proof(f"its Batch job {job['jobId']}", reason)


def _end(job: Mapping[str, Any], life: Life) -> dict[str, Any]:
    """What Batch says of the end of our container, nothing if it may be at work."""
    tries, ours = each(job, "attempts"), life.where.get("batch_attempt", "")
    if ours.isdecimal() and 0 < int(ours) <= len(tries):
        return _told(tries[int(ours) - 1])
    return {**pick(job, "status"), **_told(job)} if job.get("status") in _ENDED else {}


def _told(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**pick(one, "statusReason"), "container": pick(inside(one, "container"), "exitCode", "reason")}

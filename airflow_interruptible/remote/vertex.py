# SPDX-License-Identifier: Apache-2.0
"""Google Vertex AI: the state and the error of a custom job, or of a training pipeline.

The surprising fact: a training operator learns the name of its pipeline before the end only if it defers. Our own
launcher hears of it.
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.answer import Answer, inside, pick
from airflow_interruptible.remote.google import SECONDS, as_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.remote.failure import Failure

_OVER = ("FAILED", "CANCELLED", "CANCELLING", "EXPIRED", "PARTIALLY_SUCCEEDED")
_STATES = tuple(f"{kind}_STATE_{state}" for kind in ("JOB", "PIPELINE") for state in _OVER)


def custom_job(failure: Failure) -> Iterator[Answer]:
    """Describe the job of a CreateCustomJobOperator."""
    name = failure.task.custom_job_id or failure.xcom("custom_job_id")
    if name:
        yield from _ended(failure.task.hook.get_custom_job(custom_job=name, **_request(failure)), "customJobs.get")


def training(failure: Failure) -> Iterator[Answer]:
    """Describe the pipeline of a CreateCustomTrainingJobOperator or one of its kin."""
    launched = (failure.attribute("launched") or {}).get("launched_job", "")
    if name := launched.rpartition("/")[2] or failure.xcom("training_id"):
        pipeline = failure.task.hook.get_training_pipeline(training_pipeline=name, **_request(failure))
        yield from _ended(pipeline, "trainingPipelines.get")


def _request(failure: Failure) -> dict[str, Any]:
    task = failure.task
    return {"project_id": task.project_id, "region": task.region, "retry": None, "timeout": SECONDS}


def _ended(job: Any, call: str) -> Iterator[Answer]:
    fields = as_fields(job)
    if fields.get("state") in _STATES:
        yield Answer("vertex", call, {**pick(fields, "state"), "error": pick(inside(fields, "error"), "message")})

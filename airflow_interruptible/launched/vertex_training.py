# SPDX-License-Identifier: Apache-2.0
"""Google Vertex AI: the training pipelines of the three custom training operators, placed by their scheduling strategy.

The surprising fact: no argument of these operators leads to the strategy, though the SDK's jobs take one when they are
run. So the job that the operator's hook makes is told as soon as it is made.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.launched.hooks import around
from airflow_interruptible.launched.vertex import STRATEGIES, seen, short
from airflow_interruptible.launched.work import Seen, Work
from airflow_interruptible.remote.google import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

_MAKERS = (
    "get_custom_container_training_job",
    "get_custom_python_package_training_job",
    "get_custom_training_job",
)
"""The methods of CustomJobHook that make a job of the SDK, which is then run or submitted.
https://cloud.google.com/python/docs/reference/aiplatform/latest/google.cloud.aiplatform.CustomContainerTrainingJob"""


class VertexTraining(Work):
    """Training pipelines of Vertex AI. No options."""

    name = "vertex_training"
    noun = "Vertex AI training"
    owns = frozenset({"scheduling_strategy", "disable_retries"})
    """No arguments yet of these operators: they are read where the job is made."""

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Refuse nothing: no argument says where the work goes."""

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:  # noqa: ARG002
        """Return what was placed; Vertex takes STANDARD where nothing is said."""
        strategy = arguments.get("scheduling_strategy")
        return next((capacity for capacity, name in STRATEGIES.items() if name == strategy), CapacityType.ON_DEMAND)

    def placed(
        self,
        arguments: Mapping[str, Any],  # noqa: ARG002
        options: Mapping[str, Any],  # noqa: ARG002
        capacity: CapacityType,
    ) -> dict[str, Any]:
        """Return the strategy, and no retries by Vertex."""
        return {"scheduling_strategy": STRATEGIES[capacity], "disable_retries": True}

    def hearing(
        self,
        task: Any,
        heard: Callable[[str], None],
        attached: str | None,
    ) -> AbstractContextManager[object]:
        """Tell each job its strategy when it is made, and hear of the name that CreateTrainingPipeline answers with."""
        from airflow.providers.google.cloud.hooks.vertex_ai.custom_job import CustomJobHook

        def make(call: Callable[..., Any], _: Any, *args: Any, **kwargs: Any) -> Any:
            job = call(*args, **kwargs)
            told = {name: getattr(task, name) for name in self.owns if getattr(task, name, None) is not None}
            job.run, job.submit = partial(job.run, **told), partial(job.submit, **told)
            create = job.api_client.create_training_pipeline
            job.api_client.create_training_pipeline = partial(_create, create, job.api_client, heard, attached)
            return job

        block = ExitStack()
        for name in _MAKERS:
            block.enter_context(around(CustomJobHook, name, make))
        return block

    def attach(self, task: Any, job: str) -> None:
        """The operator creates a pipeline in any case, and is answered with this one."""

    def look(self, task: Any, job: str) -> Seen:
        """Return what GetTrainingPipeline says."""
        place = {"project_id": task.project_id, "region": task.region, "timeout": SECONDS}
        return seen(lambda: task.hook.get_training_pipeline(training_pipeline=short(job), **place), lambda _: None)

    def stop(self, task: Any, job: str) -> None:
        """CancelTrainingPipeline, which does nothing to a pipeline that is over."""
        task.hook.cancel_training_pipeline(
            project_id=task.project_id, region=task.region, training_pipeline=short(job), timeout=SECONDS
        )


def _create(
    call: Callable[..., Any], client: Any, heard: Callable[[str], None], attached: str | None, /, **request: Any
) -> Any:
    if attached:
        return client.get_training_pipeline(name=attached)
    pipeline = call(**request)
    heard(pipeline.name)
    return pipeline

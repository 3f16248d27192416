# SPDX-License-Identifier: Apache-2.0
"""Executors that start the same attempt again by themselves, on the machine that was asked for first.

Seen with AwsEcsExecutor: after a reclaim it launches the dead try again, with its old place, even after the next try
has succeeded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.doctor.finding import Finding, Severity, provider_link

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.doctor.deployment import Deployment

_AMAZON: Mapping[str, tuple[str, str]] = {
    "AwsEcsExecutor": ("aws_ecs_executor", "max_run_task_attempts"),
    "AwsBatchExecutor": ("aws_batch_executor", "max_submit_job_attempts"),
}
"""How often each runs one attempt, three times by default."""

_DAY = 86_400
_ENOUGH = 3_600
"""A time-out of less than an hour is set by mistake, or for tasks that are known to be short."""

_BROKERS = ("redis://", "rediss://", "sqs://", "sentinel://")
"""Those that deliver again what is not acknowledged in time (``default_celery.py`` of the Celery provider)."""


def check(deployment: Deployment) -> Iterator[Finding]:
    """Look at what the configured executors do when an attempt ends without its worker's word."""
    for executor in deployment.executors:
        for base, (section, option) in _AMAZON.items():
            if base in executor.bases and not executor.ours:
                yield from _amazon(deployment, section, option)
    if deployment.has_executor("CeleryExecutor"):
        yield from _celery(deployment)
    if deployment.has_executor("KubernetesExecutor"):
        yield from _kubernetes(deployment)


def _amazon(deployment: Deployment, section: str, option: str) -> Iterator[Finding]:
    attempts = deployment.option(section, option, "3")
    if attempts != "1":
        yield Finding(
            id=f"executor-retries/{'ecs' if section == 'aws_ecs_executor' else 'batch'}",
            severity=Severity.ERROR,
            setting=f"[{section}] {option}",
            value=attempts,
            better="1",
            why="After a reclaim this executor starts the dead attempt again, on the same capacity, beside its "
            "successor, and the scheduler hears of the loss only when all its attempts are spent. Airflow's retries, "
            "which are counted and placed, are all that is needed.",
            link=provider_link("amazon", option),
        )


def _celery(deployment: Deployment) -> Iterator[Finding]:
    broker = deployment.option("celery", "broker_url")
    late = deployment.says_yes("celery", "task_acks_late", default=True)
    seconds = deployment.number("celery_broker_transport_options", "visibility_timeout", _DAY)
    if late and broker.startswith(_BROKERS) and seconds < _ENOUGH:
        yield Finding(
            id="executor-retries/celery-visibility-timeout",
            severity=Severity.WARNING,
            setting="[celery_broker_transport_options] visibility_timeout",
            value=f"{seconds:g}",
            better=str(_DAY),
            why="A task that runs longer than this is delivered to a second worker. Airflow refuses to start what "
            "runs already, at the price of a worker's slot and an error in its log each time.",
            link="docs/celery.md#5-redelivery",
        )


def _kubernetes(deployment: Deployment) -> Iterator[Finding]:
    option = "pod_launch_failure_retries"
    retries = deployment.option("kubernetes_executor", option)
    if retries and retries != "0" and deployment.choice.name != "none":
        yield Finding(
            id="executor-retries/kubernetes",
            severity=Severity.INFO,
            setting=f"[kubernetes_executor] {option}",
            value=retries,
            better="0",
            why="A pod that fails before Airflow runs in it is launched again as it was, so still on spot, before the "
            "attempt counts as lost and the next one is placed.",
            link=provider_link("cncf-kubernetes", option),
        )

# SPDX-License-Identifier: Apache-2.0
"""Grace periods: whether a task that is told to stop has the time to stop and to report it, and hears of it at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_interruptible.doctor.finding import Finding, Severity, provider_link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.doctor.deployment import Deployment

_LEAST = 10
"""Seconds. Stopping and reporting takes one or two; a busy machine takes longer."""

_KUBERNETES = "kubernetes_executor"


def check(deployment: Deployment) -> Iterator[Finding]:
    """Look at what the configured executors grant."""
    if deployment.has_executor("KubernetesExecutor"):
        yield from _pods(deployment)
    if deployment.has_executor("CeleryExecutor"):
        yield from _celery(deployment)


def _pods(deployment: Deployment) -> Iterator[Finding]:
    options = _json(deployment.option(_KUBERNETES, "delete_option_kwargs"))
    granted = options.get("grace_period_seconds")
    if isinstance(granted, int) and granted < _LEAST:
        yield Finding(
            id="grace/delete-options",
            severity=Severity.WARNING,
            setting=f"[{_KUBERNETES}] delete_option_kwargs",
            value=f"grace_period_seconds {granted}",
            better="drop grace_period_seconds",
            why="A pod that the executor deletes is killed before its task has stopped and reported it.",
            link=provider_link("cncf-kubernetes", "delete_option_kwargs"),
        )
    path = deployment.option(_KUBERNETES, "pod_template_file")
    template = _template(Path(path)) if path else {}
    spec = template.get("spec")
    seconds = spec.get("terminationGracePeriodSeconds") if isinstance(spec, Mapping) else None
    if isinstance(seconds, int) and seconds < _LEAST:
        yield Finding(
            id="grace/pod-template",
            severity=Severity.WARNING,
            setting=f"terminationGracePeriodSeconds in {path}",
            value=str(seconds),
            better="60, or what the cloud gives",
            why="A pod on a node that is reclaimed is killed before its task has stopped and reported it; its attempt "
            "is then judged by what can be found out, and its checkpoint is as old as the last one that was saved.",
            link="docs/kubernetes.md#3-helm-values",
        )
    if not deployment.says_yes(_KUBERNETES, "delete_worker_pods", default=True):
        yield Finding(
            id="grace/kept-pods",
            severity=Severity.WARNING,
            setting=f"[{_KUBERNETES}] delete_worker_pods",
            value="False",
            better="True",
            why="The executor forgets a pod that it launches a second time. Failed pods are kept for evidence anyway.",
            link="docs/kubernetes.md#3-helm-values",
        )


def _celery(deployment: Deployment) -> Iterator[Finding]:
    pool = deployment.option("celery", "pool", "prefork")
    if pool != "prefork":
        yield Finding(
            id="grace/celery-pool",
            severity=Severity.WARNING,
            setting="[celery] pool",
            value=pool,
            better="prefork",
            why="A worker that is shut down tells its tasks by their processes, which this pool does not have: they "
            "end with the worker, unheard.",
            link="docs/celery.md#limits",
        )
    if not deployment.says_yes("celery", "worker_enable_remote_control", default=True):
        yield Finding(
            id="grace/celery-remote-control",
            severity=Severity.WARNING,
            setting="[celery] worker_enable_remote_control",
            value="False",
            better="True",
            why="Workers answer no ping, so one that is gone cannot be told from one that lives, and its attempts wait "
            "for [scheduler] task_instance_heartbeat_timeout.",
            link=provider_link("celery", "worker_enable_remote_control"),
        )


def _json(text: str) -> Mapping[str, Any]:
    """Return an object, empty if the text is none: the executor itself refuses it when it starts."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    return found if isinstance(found, Mapping) else {}


def _template(path: Path) -> Mapping[str, Any]:
    """Return the pod template.

    :raises OSError: it cannot be read.
    :raises ValueError: it is no YAML.
    """
    from airflow.utils import yaml

    found = yaml.safe_load(path.read_text())
    return found if isinstance(found, Mapping) else {}

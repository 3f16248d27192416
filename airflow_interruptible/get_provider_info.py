# SPDX-License-Identifier: Apache-2.0
"""What Airflow's provider manager is told about this package.

The keys are those of Airflow's ``provider_info.schema.json``; ``task-decorators`` is read with ``class-name``, whatever
that schema says (``airflow/providers_manager.py``, ``_discover_taskflow_decorators``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_interruptible.settings import DEFAULTS, SECTION

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADDED = "0.1.0"


def _literal(text: str) -> str:
    """Escape braces: Airflow passes every default through ``str.format`` while it starts."""
    return text.replace("{", "{{").replace("}", "}}")


class _Option(NamedTuple):
    """What Airflow is told of an option; ``example`` where the default shows nothing."""

    type: str
    description: str
    example: str | None = None

    def as_told(self, default: str) -> dict[str, Any]:
        return {**self._asdict(), "version_added": _ADDED, "default": _literal(default)}


_OPTIONS: Mapping[str, _Option] = {
    "default": _Option(
        "boolean",
        "Whether tasks are interruptible where neither they nor their TaskGroup or Dag say so. Empty: those that are "
        "annotated are, and stock operators are left alone. True: every stock operator of the deployment is "
        "interruptible, too. False: annotated tasks have to say interruptible=True themselves.",
        "True",
    ),
    "system_retries": _Option(
        "integer",
        "How many interruptions and other system failures a task is forgiven.",
    ),
    "system_retry_delay": _Option(
        "float",
        "The longest wait, in seconds, after the second system failure in a row. Doubled for each further "
        "one, at most 5 minutes, with full jitter; the first of a row is retried at once.",
    ),
    "compute": _Option(
        "string",
        "What places the Airflow task itself: none, queue, executor, kubernetes, karpenter, eks, gke, aks.",
        "queue",
    ),
    "compute_options": _Option(
        "string",
        "What the compute needs, as JSON: the two queues, the two executors, what pods ask of nodes.",
        '{"spot": "spot-workers", "on_demand": "default"}',
    ),
    "notices": _Option(
        "boolean",
        "Whether a running task listens to the metadata service of its cloud (EC2, GCE, Azure) for the notice "
        "that its machine will be reclaimed.",
    ),
    "session_events": _Option(
        "boolean",
        "Whether the scheduler and the API server place attempts by watching their database sessions. Turn it "
        "off if you use one of airflow_interruptible.executors instead.",
    ),
    "checkpoint_path": _Option(
        "string",
        "Where the files of checkpoints go: a URL that ObjectStoragePath understands, or an absolute path. It "
        "must be storage that all workers share if files are to survive a lost machine. Empty: a directory "
        "below AIRFLOW_HOME.",
        "s3://aws_default@bucket/checkpoints",
    ),
    "pod_compute": _Option(
        "string",
        "What places the pods that pod operators launch: none, kubernetes, karpenter, eks, gke, aks. Empty: "
        "the same as compute, if that is one of them.",
        "karpenter",
    ),
    "pod_compute_options": _Option(
        "string",
        "What that compute needs, as JSON. Empty: compute_options, if it is the same compute.",
        '{"spot": {"tolerations": [{"key": "team-spot", "operator": "Exists"}]}}',
    ),
    "spot_timeout": _Option(
        "float",
        "How long, in seconds, a pod may wait for a spot node before the next attempt goes on-demand.",
    ),
    "prices": _Option(
        "string",
        "What an hour of one machine costs, as JSON by instance type; default is for all others. Reports "
        "estimate from it what spot has saved.",
        '{"default": {"spot": 0.10, "on_demand": 0.34}}',
    ),
    "currency": _Option(
        "string",
        "The currency of the prices, as reports print it.",
    ),
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata."""
    return {
        "package-name": "airflow-interruptible",
        "name": "Interruptible",
        "description": "Interruptible tasks: run on spot capacity, forgive interruptions, finish on demand.",
        "task-decorators": [
            {
                "name": "interruptible",
                "class-name": "airflow_interruptible.decorators.interruptible.interruptible_task",
            }
        ],
        "executors": [
            "airflow_interruptible.executors.local.InterruptibleLocalExecutor",
            "airflow_interruptible.executors.celery.InterruptibleCeleryExecutor",
            "airflow_interruptible.executors.kubernetes.InterruptibleKubernetesExecutor",
        ],
        "cli": ["airflow_interruptible.cli.get_cli_commands"],
        "config": {
            SECTION: {
                "description": "Interruptible tasks: what spot and on-demand mean on this deployment.",
                "options": {key: option.as_told(DEFAULTS[key]) for key, option in _OPTIONS.items()},
            }
        },
    }

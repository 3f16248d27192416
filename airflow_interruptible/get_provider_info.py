# SPDX-License-Identifier: Apache-2.0
"""What Airflow's provider manager is told about this package.

The keys are those of Airflow's ``provider_info.schema.json``; ``task-decorators`` is read with ``class-name``, whatever
that schema says (``airflow/providers_manager.py``, ``_discover_taskflow_decorators``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.settings import OPTIONS, SECTION

if TYPE_CHECKING:
    from airflow_interruptible.options import Option


def _literal(text: str) -> str:
    """Escape braces: Airflow passes every default through ``str.format`` while it starts."""
    return text.replace("{", "{{").replace("}", "}}")


def _told(option: Option) -> dict[str, Any]:
    return {
        "type": option.type,
        "description": option.doc,
        "example": option.example,
        "version_added": option.added,
        "default": _literal(option.default),
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
            "airflow_interruptible.executors.ecs.InterruptibleAwsEcsExecutor",
            "airflow_interruptible.executors.batch.InterruptibleAwsBatchExecutor",
        ],
        "cli": ["airflow_interruptible.cli.get_cli_commands"],
        "config": {
            SECTION: {
                "description": "Interruptible tasks: what spot and on-demand mean on this deployment.",
                "options": {name: _told(option) for name, option in OPTIONS.items()},
            }
        },
    }

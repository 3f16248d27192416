# SPDX-License-Identifier: Apache-2.0
"""CeleryExecutor that places attempts itself. Needs the extra ``celery``."""

from __future__ import annotations

from airflow.providers.celery.executors.celery_executor import CeleryExecutor

from airflow_interruptible.executors.placing import PlacingExecutor


class InterruptibleCeleryExecutor(PlacingExecutor, CeleryExecutor):
    """``[core] executor = airflow_interruptible.executors.celery.InterruptibleCeleryExecutor``."""

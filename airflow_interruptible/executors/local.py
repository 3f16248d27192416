# SPDX-License-Identifier: Apache-2.0
"""LocalExecutor that places attempts itself."""

from __future__ import annotations

from airflow.executors.local_executor import LocalExecutor

from airflow_interruptible.executors.placing import PlacingExecutor


class InterruptibleLocalExecutor(PlacingExecutor, LocalExecutor):
    """``[core] executor = airflow_interruptible.executors.local.InterruptibleLocalExecutor``."""

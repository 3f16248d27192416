# SPDX-License-Identifier: Apache-2.0
"""KubernetesExecutor that places attempts itself. Needs the extra ``kubernetes``."""

from __future__ import annotations

from airflow.providers.cncf.kubernetes.executors.kubernetes_executor import KubernetesExecutor

from airflow_interruptible.executors.placing import PlacingExecutor


class InterruptibleKubernetesExecutor(PlacingExecutor, KubernetesExecutor):  # type: ignore[misc]  # it narrows workloads
    """``[core] executor = airflow_interruptible.executors.kubernetes.InterruptibleKubernetesExecutor``."""

# SPDX-License-Identifier: Apache-2.0
"""The executor of the demo's spot machines, beside Airflow's own for those that stay."""

from __future__ import annotations

from airflow.executors.local_executor import LocalExecutor


class SpotMachines(LocalExecutor):
    """A second pool of processes on this host. Airflow admits no executor twice, so it has a class of its own."""

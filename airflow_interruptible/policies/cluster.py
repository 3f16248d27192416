# SPDX-License-Identifier: Apache-2.0
"""The cluster policy: the one module that every Airflow process imports, by its ``airflow.policy`` entry point.

It makes stock operators interruptible where the Dag says so, places first attempts, and watches the metadata database
of the processes that have one. Everything heavier than a dictionary look-up waits until a Dag asks for it.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.policies import hookimpl

from airflow_interruptible.server.install import install

log = logging.getLogger(__name__)

install()


@hookimpl
def task_policy(task: Any) -> None:
    """Adopt a stock task if its TaskGroup, its Dag or airflow.cfg says so, and place an annotated one.

    :raises ConfigurationError: an argument cannot be meant; Airflow shows it as the Dag's import error.
    """
    from airflow_interruptible.policies import adoption

    adoption.apply(task)

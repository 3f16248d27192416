# SPDX-License-Identifier: Apache-2.0
"""The plugin: what the API server serves of ours, and where Airflow's UI shows it.

Every Airflow process loads its plugins, a task's too, but only the API server asks for applications. So the application
is built when it is asked for. If it cannot be, there are no pages, and Airflow is as it was.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)

URL_PREFIX = "/interruptible"

_RUN_OF_TASK = "dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"

VIEWS = (
    ("Attempts", "task_instance", "interruptible-attempts", f"attempts?scope=instance&{_RUN_OF_TASK}"),
    ("Attempts", "dag_run", "interruptible-run", "run?scope=run&dag_id={DAG_ID}&run_id={RUN_ID}"),
    ("Interruptions", "task", "interruptible-task", "interruptions?scope=task&dag_id={DAG_ID}&task_id={TASK_ID}"),
    ("Interruptions", "dag", "interruptible-dag", "interruptions?scope=dag&dag_id={DAG_ID}"),
    ("Interruptions", "nav", "interruptions", "interruptions"),
)
"""Name, where Airflow shows it, its route there, and ours. Airflow fills in the braces, except ``{MAP_INDEX}`` of a
task that is not mapped, which stays as it is."""


_STATIC = f"{URL_PREFIX[1:]}/static/icon"
ICONS = {"icon": f"{_STATIC}/spot-light.svg", "icon_dark_mode": f"{_STATIC}/spot-dark.svg"}
"""A bolt, as the pages draw spot."""


class InterruptiblePlugin(AirflowPlugin):
    """Attempts and interruptions in the UI."""

    name = "interruptible"

    @cached_property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]
        """The pages and the API behind them."""
        try:
            from airflow_interruptible.ui.app import app
        except Exception:
            log.warning(
                "The pages of airflow-interruptible cannot be shown in this version of Airflow. "
                "Tasks run as before; `airflow interruptible attempts` and `report` tell the same.",
                exc_info=True,
            )
            return []
        return [{"name": self.name, "app": app, "url_prefix": URL_PREFIX}]

    @cached_property
    def external_views(self) -> list[Any]:  # type: ignore[override]
        """The tabs, and the page in the navigation.

        Their addresses are relative: Airflow's page names its own prefix in ``<base>``.
        """
        if not self.fastapi_apps:
            return []
        return [
            {"name": name, "destination": place, "url_route": route, "href": f"{URL_PREFIX[1:]}/{href}", **ICONS}
            for name, place, route, href in VIEWS
        ]

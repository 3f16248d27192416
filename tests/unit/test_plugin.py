# SPDX-License-Identifier: Apache-2.0
"""The plugin: found by Airflow, cheap for those who do not serve pages, harmless where it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse
from airflow.plugins_manager import is_valid_plugin

from airflow_interruptible.plugin import URL_PREFIX, InterruptiblePlugin

if TYPE_CHECKING:
    from collections.abc import Callable


def test_airflow_finds_it() -> None:
    """By entry point: plugins that a provider only declares are not loaded unless providers are discovered eagerly."""
    toml = pytest.importorskip("tomllib", reason="new in Python 3.11")
    project = toml.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["airflow.plugins"] == {
        "interruptible": f"{InterruptiblePlugin.__module__}:{InterruptiblePlugin.__name__}"
    }
    assert is_valid_plugin(InterruptiblePlugin)


def test_the_views_are_ones_that_airflow_shows() -> None:
    views = [ExternalViewResponse.model_validate(view) for view in InterruptiblePlugin().external_views]
    assert [(view.name, view.destination) for view in views] == [
        ("Attempts", "task_instance"),
        ("Attempts", "dag_run"),
        ("Interruptions", "task"),
        ("Interruptions", "dag"),
        ("Interruptions", "nav"),
    ]
    assert len({view.url_route for view in views}) == 5
    assert all(view.href.startswith(f"{URL_PREFIX[1:]}/") for view in views)  # relative: Airflow may live below a path


def test_who_serves_no_pages_loads_no_pages() -> None:
    """Every task process loads plugins."""
    code = (
        "import airflow, sys; before = set(sys.modules); from airflow_interruptible.plugin import InterruptiblePlugin;"
        "plugin = InterruptiblePlugin(); plugin.on_load(); plugin.listeners, plugin.macros;"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}"
        " & {'fastapi', 'starlette', 'sqlalchemy', 'pydantic'}),"
        " *sorted(name for name in sys.modules if name.startswith('airflow_interruptible.ui')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_pages_that_cannot_be_served_leave_airflow_as_it_was(
    monkeypatch: pytest.MonkeyPatch, warnings_of: Callable[[], list[str]]
) -> None:
    monkeypatch.setitem(sys.modules, "airflow_interruptible.ui.app", None)
    plugin: Any = InterruptiblePlugin()
    assert plugin.external_views == []
    assert plugin.fastapi_apps == []
    assert len(warnings_of()) == 1
    assert "cannot be shown in this version of Airflow" in warnings_of()[0]

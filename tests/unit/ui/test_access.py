# SPDX-License-Identifier: Apache-2.0
"""Whether Airflow still tells who asks, and what they may read, in the way that we ask it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api import security
from airflow.api_fastapi.core_api.routes.public import task_instances

import airflow_interruptible.ui
from airflow_interruptible.ui import access


def test_airflow_answers_as_we_ask() -> None:
    assert list(inspect.signature(security.get_user).parameters) == ["request", "_oauth_token", "bearer_credentials"]
    assert {"method", "access_entity"} <= set(inspect.signature(security.requires_access_dag).parameters)
    assert {"user", "method"} <= set(inspect.signature(BaseAuthManager.get_authorized_dag_ids).parameters)
    assert DagAccessEntity.TASK_INSTANCE


def test_we_ask_what_airflows_own_task_instance_pages_ask() -> None:
    source = inspect.getsource(task_instances)
    assert 'requires_access_dag(method="GET", access_entity=DagAccessEntity.TASK_INSTANCE)' in source
    assert 'requires_access_dag(method="GET", access_entity=DagAccessEntity.TASK_INSTANCE)' in inspect.getsource(access)
    assert "readable_ti_filter: ReadableTIFilterDep" in source
    assert 'permitted_dag_filter_factory("GET", PermittedTIFilter)' in inspect.getsource(security)


def test_only_one_module_knows_airflows_private_names() -> None:
    folder = Path(airflow_interruptible.ui.__file__).parent
    knowing = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow.api_fastapi.core_api")
    }
    assert knowing == {"access.py"}

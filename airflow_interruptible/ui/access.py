# SPDX-License-Identifier: Apache-2.0
"""Who asks, and what they may read: Airflow's own answers, and every private name of its that we need for them.

The rights are those of Airflow's own task instance pages: ``GET`` on the task instances of a Dag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

may_read_task_instances = Depends(requires_access_dag(method="GET", access_entity=DagAccessEntity.TASK_INSTANCE))
"""Refuses who may not read the task instances of the Dag that the query names, of any Dag if it names none."""


def _readable_dags(user: GetUserDep) -> frozenset[str]:
    return frozenset(get_auth_manager().get_authorized_dag_ids(user=user, method="GET"))


ReadableDags = Annotated[frozenset[str], Depends(_readable_dags)]
"""The ids of the Dags that the user may read."""


async def visitor(request: Request) -> BaseUser | None:
    """Return who asks, None if they have not signed in."""
    try:
        return await get_user(request, None, _bearer(request))
    except HTTPException:
        return None


def _bearer(request: Request) -> HTTPAuthorizationCredentials | None:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials) if credentials else None

"""An auth manager with an admin, and two people who may read one Dag each and none other."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails

OPEN_DAG, MANAGED_DAG = "plain_tasks", "spot_training"
PEOPLE = {"admin": "admin", "guest": "viewer", "manager": "viewer"}
ONLY = {"guest": OPEN_DAG, "manager": MANAGED_DAG}


class FewPeople(SimpleAuthManager):
    """Passwords are the names."""

    def is_authorized_dag(self, *, user: Any, details: DagDetails | None = None, **asked: Any) -> bool:
        """As the simple auth manager, but some are refused every Dag but one."""
        only = ONLY.get(user.username)
        if only is not None and details is not None and details.id not in (None, only):
            return False
        return super().is_authorized_dag(user=user, details=details, **asked)


def settings(folder: Path) -> dict[str, Any]:
    """What a stack with these people is started with."""
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in PEOPLE}))
    path = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[3])]
    core = {
        "auth_manager": f"{__name__}.FewPeople",
        "simple_auth_manager_all_admins": False,
        "simple_auth_manager_users": ",".join(f"{name}:{role}" for name, role in PEOPLE.items()),
        "simple_auth_manager_passwords_file": passwords,
    }
    return {"config": {"core": core}, "env": {"PYTHONPATH": os.pathsep.join(filter(None, path))}}


@cache
def token(base_url: str, name: str) -> str:
    """Sign in, once, and return what proves it."""
    answer = httpx.post(
        f"{base_url}/auth/token", json={"username": name, "password": name}, trust_env=False, timeout=240
    )
    return str(answer.raise_for_status().json()["access_token"])

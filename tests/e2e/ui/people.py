"""An auth manager with two people: an admin, and a guest who may read one Dag and none other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails

OPEN_DAG = "plain_tasks"
PEOPLE = {"admin": "admin", "guest": "viewer"}


class TwoPeople(SimpleAuthManager):
    """Passwords are the names."""

    def is_authorized_dag(self, *, user: Any, details: DagDetails | None = None, **asked: Any) -> bool:
        """As the simple auth manager, but a guest is refused every Dag but one."""
        if user.username == "guest" and details is not None and details.id not in (None, OPEN_DAG):
            return False
        return super().is_authorized_dag(user=user, details=details, **asked)


def settings(folder: Path) -> dict[str, Any]:
    """What a stack with these people is started with."""
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in PEOPLE}))
    path = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[3])]
    core = {
        "auth_manager": f"{__name__}.TwoPeople",
        "simple_auth_manager_all_admins": False,
        "simple_auth_manager_users": ",".join(f"{name}:{role}" for name, role in PEOPLE.items()),
        "simple_auth_manager_passwords_file": passwords,
    }
    return {"config": {"core": core}, "env": {"PYTHONPATH": os.pathsep.join(filter(None, path))}}


def token(base_url: str, name: str) -> str:
    """Sign in, and return what proves it."""
    answer = httpx.post(
        f"{base_url}/auth/token", json={"username": name, "password": name}, trust_env=False, timeout=240
    )
    return str(answer.raise_for_status().json()["access_token"])

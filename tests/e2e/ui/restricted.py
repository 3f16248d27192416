# SPDX-License-Identifier: Apache-2.0
"""An auth manager with rights per Dag, which Airflow's simple one lacks: ``guest`` reads only Dags named ``open_...``.

``admin`` is an admin. Both log in with their name as the password, at ``POST /auth/token``. The api-server imports this
module, so it knows nothing of pytest.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

GUEST = "guest"
_TESTS = Path(__file__).resolve().parents[2]


class RestrictedAuthManager(SimpleAuthManager):
    """As the simple one, but for what ``guest`` may do with a Dag."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **asked: Any) -> bool:
        """Whether a user may do something with a Dag; without a Dag, with any."""
        if user.username == GUEST and details is not None and details.id and not details.id.startswith("open_"):
            return False
        return super().is_authorized_dag(user=user, details=details, **asked)


def options(home: Path) -> dict[str, Any]:
    """Return what a ``SpotLab`` needs to run with it, as keyword arguments.

    :param home: a directory that is there; the passwords are written into it.
    """
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in ("admin", GUEST)}))
    return {
        "config": {
            "core": {
                "auth_manager": f"e2e.ui.{Path(__file__).stem}.{RestrictedAuthManager.__name__}",
                "simple_auth_manager_all_admins": False,
                "simple_auth_manager_users": f"admin:admin,{GUEST}:viewer",
                "simple_auth_manager_passwords_file": str(passwords),
            }
        },
        "env": {"PYTHONPATH": os.pathsep.join(filter(None, [*_own_path(), os.environ.get("PYTHONPATH")]))},
    }


def _own_path() -> list[str]:
    return [str(_TESTS.parent), str(_TESTS)]

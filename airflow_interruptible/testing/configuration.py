# SPDX-License-Identifier: Apache-2.0
"""Decides the environment variables that make Airflow's processes one small, fast, hermetic stack.

Pure: settings in, a dictionary out. It starts nothing and reads no configuration of the user's: everything of Airflow's
in the caller's environment is dropped, connections and variables too, because a throw-away stack has no business with
the production it was started next to.

Surprising: Airflow's processes rename themselves, which overwrites the memory where the system keeps a process's
environment. So these variables cannot be read back from a running worker, only from what it executes.
"""

from __future__ import annotations

import json
import os
import secrets
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow_interruptible

if TYPE_CHECKING:
    from collections.abc import Mapping

STACK_MARK = "AIRFLOW_INTERRUPTIBLE_STACK"
"""The variable that tells the processes of one stack; its value is different for each stack."""

_OF_THE_CALLER = ("AIRFLOW_", "_AIRFLOW_", "PYTHONDONTWRITEBYTECODE")  # a deployment runs compiled code
_LOOPBACK = "127.0.0.1"
_WRITER_PATIENCE = 30
_API_SERVER_PATIENCE = 2

Config = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class StackSettings:
    """What one stack is made of.

    :param home: its AIRFLOW_HOME; logs, and the SQLite database, are kept there.
    :param dags_folder: the Dag files it runs.
    :param api_port: where the UI, the REST API and the workers' API listen, on the loopback interface.
    :param worker_log_port: where the scheduler serves the logs of running LocalExecutor tasks.
    :param triggerer_log_port: where a triggerer serves its logs.
    :param executor: ``[core] executor``, as in airflow.cfg; may be a list of several.
    :param sql_alchemy_conn: the database; None is a SQLite file in ``home``.
    :param config: overrides, ``{section: {key: value}}``.
    :param env: further variables for the processes.
    :param base_path: the path below which everything is served, such as ``/airflow``, as behind many a proxy.
    :param mark: the value of :data:`STACK_MARK`.
    """

    home: Path
    dags_folder: Path
    api_port: int
    worker_log_port: int
    triggerer_log_port: int
    executor: str = "LocalExecutor"
    sql_alchemy_conn: str | None = None
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    base_path: str = ""
    mark: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def base_url(self) -> str:
        """Where the UI and the REST API answer."""
        return f"http://{_LOOPBACK}:{self.api_port}{self.base_path}"


def stack_environment(settings: StackSettings, caller: Mapping[str, str]) -> dict[str, str]:
    """Build the whole environment of the stack's processes.

    :param caller: the environment of the process that starts the stack; what is Airflow's in it is dropped.
    """
    kept = {name: value for name, value in caller.items() if not name.startswith(_OF_THE_CALLER)}
    config = _default_config(settings)
    for section, options in settings.config.items():
        config.setdefault(section, {}).update(options)
    return {
        **kept,
        **_reach_loopback(kept),
        **_import_path(kept),
        "AIRFLOW_HOME": str(settings.home),
        STACK_MARK: settings.mark,
        **_as_variables(config),
        **settings.env,
    }


def api_server_environment(settings: StackSettings, environment: Mapping[str, str]) -> dict[str, str]:
    """Give the api-server less patience with SQLite than the others have.

    Airflow 3.3 writes its audit log in the event loop (``action_logging``). A person's request that meets a worker's
    open transaction there waits for a commit that only the loop it holds up could do: neither moves until one gives up.
    Workers, and :class:`.AirflowClient`, then ask again.
    """
    if settings.sql_alchemy_conn is not None:
        return dict(environment)
    return {**environment, **_as_variables({"database": {"sql_alchemy_conn": _sqlite(settings, _API_SERVER_PATIENCE)}})}


def _default_config(settings: StackSettings) -> Config:
    """Everything that makes the stack small, quick to notice a death, and apart from other stacks."""
    return {
        "core": {
            "dags_folder": settings.dags_folder,
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            "executor": settings.executor,
            "parallelism": 8,  # LocalExecutor forks all of them at once; Airflow's 32 would cost a gigabyte
            "simple_auth_manager_all_admins": True,
            "execution_api_server_url": f"{settings.base_url}/execution/",
        },
        "database": {"sql_alchemy_conn": settings.sql_alchemy_conn or _sqlite(settings, _WRITER_PATIENCE)},
        "api": {
            "host": _LOOPBACK,
            "port": settings.api_port,
            "base_url": settings.base_url,
            "workers": 1,
            "secret_key": secrets.token_hex(16),
        },
        "api_auth": {"jwt_secret": secrets.token_hex(32)},
        "logging": {
            "worker_log_server_port": settings.worker_log_port,
            "trigger_log_server_port": settings.triggerer_log_port,
        },
        "scheduler": {
            "scheduler_idle_sleep_time": 0.2,
            "scheduler_heartbeat_sec": 1,
            "task_instance_heartbeat_timeout": 10,
            "task_instance_heartbeat_timeout_detection_interval": 1,
        },
        "interruptible": {"notices": False},  # the laboratory's machines have no metadata service, or a stranger's
        "workers": {"min_heartbeat_interval": 1},
        "triggerer": {"job_heartbeat_sec": 1},
        "dag_processor": {
            "refresh_interval": 2,
            "bundle_refresh_check_interval": 1,
            "dag_bundle_storage_path": settings.home / "bundles",  # the default is shared by all stacks of a machine
        },
    }


def _sqlite(settings: StackSettings, patience: int) -> str:
    """Name the database file, and how many seconds a writer waits for the one before it."""
    return f"sqlite:///{settings.home / 'airflow.db'}?timeout={patience}"


def _as_variables(config: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {
        f"AIRFLOW__{section.upper()}__{key.upper()}": _as_text(value)
        for section, options in config.items()
        for key, value in options.items()
    }


def _as_text(value: object) -> str:
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _reach_loopback(caller: Mapping[str, str]) -> dict[str, str]:
    """Keep the stack's own traffic away from a proxy that the caller's environment may name."""
    return {
        name: ",".join(filter(None, [caller.get(name), _LOOPBACK, "localhost"])) for name in ("NO_PROXY", "no_proxy")
    }


def _import_path(caller: Mapping[str, str]) -> dict[str, str]:
    """Let the stack's processes import the very copy of this package that runs now, also out of a checkout."""
    here = str(Path(airflow_interruptible.__file__).resolve().parent.parent)
    path = [str(Path(entry).resolve()) for entry in caller.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if here not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *path}:
        path.insert(0, here)
    return {"PYTHONPATH": os.pathsep.join(path)} if path else {}

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import airflow_interruptible
from airflow_interruptible.testing.configuration import (
    STACK_MARK,
    StackSettings,
    api_server_environment,
    stack_environment,
)

DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
CHECKOUT = str(Path(airflow_interruptible.__file__).resolve().parent.parent)


def settings(**changes: Any) -> StackSettings:
    return StackSettings(
        home=Path("/lab"),
        dags_folder=Path("/dags"),
        api_port=1001,
        worker_log_port=1002,
        triggerer_log_port=1003,
        **changes,
    )


def test_nothing_of_the_callers_airflow_comes_along() -> None:
    caller = {
        "HOME": "/home/me",
        "AIRFLOW_HOME": "/production",
        "AIRFLOW__CORE__FERNET_KEY": "secret",
        "AIRFLOW_CONN_WAREHOUSE": "postgresql://production",
        "_AIRFLOW_PROCESS_CONTEXT": "server",
    }

    environment = stack_environment(settings(), caller)

    assert environment["HOME"] == "/home/me"
    assert environment["AIRFLOW_HOME"] == "/lab"
    assert not {"AIRFLOW__CORE__FERNET_KEY", "AIRFLOW_CONN_WAREHOUSE", "_AIRFLOW_PROCESS_CONTEXT"} & set(environment)


def test_every_port_is_the_stacks_own() -> None:
    environment = stack_environment(settings(), {})

    assert environment["AIRFLOW__API__PORT"] == "1001"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:1001/execution/"
    assert environment["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"] == "1002"
    assert environment["AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT"] == "1003"


def test_an_override_replaces_one_option_and_spares_its_section() -> None:
    config = {
        "scheduler": {"task_instance_heartbeat_timeout": 300},
        "interruptible": {"compute_options": {"spot": "q"}},
    }

    environment = stack_environment(settings(config=config, env={"EXTRA": "1"}), {})

    assert environment["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"] == "300"
    assert environment["AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME"] == "0.2"
    assert json.loads(environment["AIRFLOW__INTERRUPTIBLE__COMPUTE_OPTIONS"]) == {"spot": "q"}
    assert environment["EXTRA"] == "1"


def test_two_stacks_share_no_secret_and_no_mark() -> None:
    one, other = (stack_environment(settings(), {}) for _ in range(2))

    for name in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", STACK_MARK):
        assert one[name] != other[name]


def test_only_the_api_server_gives_up_on_sqlite_early() -> None:
    environment = stack_environment(settings(), {})

    assert environment[DATABASE] == "sqlite:////lab/airflow.db?timeout=30"
    assert api_server_environment(settings(), environment) == {
        **environment,
        DATABASE: "sqlite:////lab/airflow.db?timeout=2",
    }


def test_a_database_of_ones_own_is_used_by_all() -> None:
    own = settings(sql_alchemy_conn="postgresql://lab")
    environment = stack_environment(own, {})

    assert environment[DATABASE] == "postgresql://lab"
    assert api_server_environment(own, environment) == environment


def test_a_stack_below_a_path_is_asked_there_by_people_and_workers_alike() -> None:
    environment = stack_environment(settings(base_path="/airflow"), {})

    assert environment["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:1001/airflow"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:1001/airflow/execution/"


def test_the_processes_import_this_copy_of_the_package() -> None:
    environment = stack_environment(settings(), {"PYTHONPATH": "/mine"})

    assert environment["PYTHONPATH"].split(os.pathsep) == [CHECKOUT, "/mine"]
    again = stack_environment(settings(), {"PYTHONPATH": environment["PYTHONPATH"]})
    assert again["PYTHONPATH"] == environment["PYTHONPATH"]


def test_no_proxy_stands_between_the_processes() -> None:
    environment = stack_environment(settings(), {"NO_PROXY": "internal"})

    assert environment["NO_PROXY"] == "internal,127.0.0.1,localhost"
    assert environment["no_proxy"] == "127.0.0.1,localhost"

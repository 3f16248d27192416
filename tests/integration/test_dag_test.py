"""``dag.test()`` and ``airflow dags test``: the whole life of a task in one process, with a real signal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DAGS = Path(__file__).parent / "dag_test"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An Airflow of its own, so that these Dags are the only ones there are."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    airflow(environment, "db", "migrate")
    return environment


def airflow(environment: dict[str, str], *command: str) -> str:
    return run(environment, "-m", "airflow", *command)


def run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_dag_test_plays_injected_interruptions(environment: dict[str, str]) -> None:
    """fit: interrupted, then an error of its own, then interrupted, then fine; shard 1: interrupted, then fine."""
    printed = run(environment, str(DAGS / "interrupted.py"))
    result = next(line for line in printed.splitlines() if line.startswith("RESULT"))
    assert result == "RESULT success [('fit', -1, 2), ('fit', -1, 4), ('shard', 0, 1), ('shard', 1, 2)]"
    nowhere = "nothing is moved, as compute is none."
    assert [line for line in printed.splitlines() if line.startswith("TOLD")] == [
        f"TOLD fit Interrupted twice, both forgiven; failed once by its own error; succeeded in attempt 4; {nowhere}",
        f"TOLD stock Succeeded in attempt 1; {nowhere}",
    ]


def test_airflow_dags_test_adopts_stock_operators(environment: dict[str, str]) -> None:
    """It parses as the Dag processor does, so the cluster policy runs: the Bash task is interruptible, too."""
    printed = airflow(environment, "dags", "test", "interrupted")
    assert printed.count("new_state=success") == 5
    assert printed.count("Interruptible task: attempt 1 would be on spot") == 5


def test_a_mapped_task_told_to_stop_before_it_has_its_argument(environment: dict[str, str], tmp_path: Path) -> None:
    """Airflow's handler fails with an error of its own then, which is not the author's: nobody waits, nobody pays."""
    printed = run({**environment, "TOLD_EARLY": str(tmp_path)}, str(DAGS / "told_early.py"))
    assert "RESULT success" in printed
    assert printed.count("told to stop outside of execute") >= 2
    assert printed.count("attempt 2 on demand since") == 0
    assert printed.count("1 of 1 user retries and 2 of 3 system retries left") == 2

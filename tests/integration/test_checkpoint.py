# SPDX-License-Identifier: Apache-2.0
"""``checkpoint()`` in real tasks, under ``dag.test()``: a real task state store, real signals, real files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "dag_checkpoint" / "resumed.py"
EXAMPLE = Path(__file__).parents[2] / "dags" / "example_interruptible_checkpoint.py"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def result(home: Path) -> dict[str, Any]:
    """What the script printed, run once."""
    dags = home / "dags"
    dags.mkdir()
    script, example = (shutil.copy(path, dags) for path in (SCRIPT, EXAMPLE))
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    printed = ""
    for command in (["-m", "airflow", "db", "migrate"], [script, example]):
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=1800, check=False
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    answer: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    assert [answer[run]["state"] for run in ("small", "interrupted", "quiet")] == ["success"] * 3, printed
    return answer


def test_it_survives_an_interruption_and_an_error_of_the_authors(result: dict[str, Any]) -> None:
    """Each index of the mapped task has its own; a task without annotation can have one, too."""
    assert result["found"] == [
        ["plain", -1, 1, None],
        ["plain", -1, 2, "here"],
        ["shard", 0, 1, 0],
        ["shard", 0, 2, 10],
        ["shard", 0, 3, 20],
        ["shard", 1, 1, 0],
        ["shard", 1, 2, 11],
        ["shard", 1, 3, 22],
    ]


def test_the_example_resumes_at_the_last_epoch(result: dict[str, Any]) -> None:
    interrupted, quiet = (result[run]["results"]["train"] for run in ("interrupted", "quiet"))
    assert interrupted["trained_by_attempt"] == [1, 1, 2, 2, 2, 3]
    assert interrupted["epochs_not_repeated"] == 2 + 5
    assert quiet["trained_by_attempt"] == [1] * 6
    assert interrupted["accuracy"] == quiet["accuracy"] > 0.8


def test_nothing_is_left_after_a_success(result: dict[str, Any], home: Path) -> None:
    assert result["left"] == ["interruptible"]  # the ledger
    assert (home / "interruptible-checkpoints").is_dir()
    assert [path for path in home.glob("interruptible-checkpoints/**/*") if path.is_file()] == []

# SPDX-License-Identifier: Apache-2.0
"""The commands, under ``airflow`` and under ``python -m``."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.cli import COMMANDS, get_cli_commands, main

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [command.name for command in COMMANDS]


@pytest.fixture(scope="module")
def airflow_parser() -> Any:
    from airflow.cli import cli_parser

    return cli_parser.get_parser()


def test_airflow_lists_them() -> None:
    (group,) = get_cli_commands()
    assert group.name == "interruptible"
    assert [command.name for command in group.subcommands] == NAMES
    assert all(command.help for command in group.subcommands)


def test_airflow_runs_them(airflow_parser: Any, capsys: pytest.CaptureFixture[str]) -> None:
    args = airflow_parser.parse_args(["interruptible", "plan", "--retries", "1", "--outcomes", "success"])
    args.func(args)
    assert '"final": "success"' in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_without_a_command_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_airflow_s_command_line_pays_nothing_for_them() -> None:
    """It is rebuilt at every call of ``airflow``: no command's module may be loaded for that."""
    code = "import sys, airflow_interruptible.cli; print(*[m for m in sys.modules if m.startswith('airflow')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(loaded) == ["airflow_interruptible", "airflow_interruptible.cli"]


def test_a_reader_who_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    payloads = tmp_path / "payloads.jsonl"
    payloads.write_text('{"service": "ecs", "payload": "x"}\n' * 3000)
    call = [sys.executable, "-m", "airflow_interruptible", "explain", "--jsonl", str(payloads)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b'{"cause": "unknown"')
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("command", [["attempts", "dag", "run", "task"], ["report"],
                                     ["explain", "--attempt", "dag", "run", "task"]])  # fmt: skip
def test_a_database_that_does_not_answer_is_told_in_words(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path / 'new.db'}")
    call = [sys.executable, "-m", "airflow_interruptible", *command]
    ended = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "database does not answer: no such table" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("text", ["-2", "x", str(2**31), "9" * 5000])
def test_a_map_index_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["attempts", "dag", "run", "task", "--map-index", text])
    assert "argument --map-index: must be a whole number >= 0" in capsys.readouterr().err


def test_the_package_is_a_command() -> None:
    call = [sys.executable, "-m", "airflow_interruptible", "plan", "--retries", "0", "--outcomes", "success"]
    assert '"final": "success"' in subprocess.run(call, capture_output=True, text=True, check=True).stdout

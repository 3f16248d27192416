# SPDX-License-Identifier: Apache-2.0
"""What ``airflow interruptible report`` prints. Reading the database is tested where there is one."""

from __future__ import annotations

import csv
import io
import json
import sys
from argparse import ArgumentParser
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import yaml

from airflow_interruptible.cli import output
from airflow_interruptible.cli import report as command
from airflow_interruptible.core.prices import read
from airflow_interruptible.report.entry import Entry
from airflow_interruptible.report.filters import Filters
from airflow_interruptible.report.recovery import Tries, Try
from airflow_interruptible.report.totals import Report, report

NOW = datetime(2026, 1, 8, 12, tzinfo=timezone.utc)


def found(count: int = 1, tries: Tries | None = None, **said: Any) -> Report:
    end = NOW.timestamp()
    plain = Entry(
        row=1, dag_id="dag", run_id="run", task_id="task", map_index=-1, attempt=1, capacity="spot",
        cause="spot_interruption", charge="system", zone="=1+1", instance_type="m5", start=end - 3600, end=end,
        noticed=False, fallback=False,
    )._replace(**said)  # fmt: skip
    entries = [plain._replace(task_id=f"task_{number}") for number in range(count)]
    prices = read({"default": {"spot": 0.1, "on_demand": 0.3}})
    return report(entries, Filters(NOW - timedelta(days=1), NOW), end, prices, "EUR", tries=tries)


def test_the_table_is_for_people() -> None:
    text = command.table(found(12))
    assert text.startswith("2026-01-07 12:00 to 2026-01-08 12:00 UTC\n\nattempts             12\n")
    assert "saved, estimated     -1.20 EUR" in text
    assert text.count("task_") == 10
    assert text.splitlines()[-1].startswith("An estimate: ")


def test_where_the_time_to_recover_went() -> None:
    end = NOW.timestamp()
    tries = {(1, 1): Try(None, None, end + 0.5), (1, 2): Try(end + 10, None, None)}
    told = found(tries=tries, heard=end, recovered=64.0)
    lines = [line.split() for line in command.table(told).splitlines()]
    assert ["time", "to", "recover,", "s", "median", "95", "%", "within", "of"] in lines
    assert [line for line in lines if line[:1] in (["all"], ["noticing"], ["delay"], ["queue"], ["start"])] == [
        ["all", "64", "64", "1"],
        ["noticing", "0.5", "0.5", "1"],
        ["delay", "9.5", "9.5", "1"],
    ]
    assert "recovery,delay,p95,9.5" in command.as_csv(told).splitlines()
    assert json.loads(output.document(told.to_json(), "json"))["recovery"]["parts"] == {
        "noticing": {"count": 1, "median": 0.5, "p95": 0.5},
        "delay": {"count": 1, "median": 9.5, "p95": 9.5},
        "queue": None,
        "start": None,
    }
    assert "time to recover" not in command.table(found())


def test_json_is_what_the_api_answers() -> None:
    document = json.loads(output.document(found().to_json(), "json"))
    assert yaml.safe_load(output.document(found().to_json(), "yaml")) == document
    assert document["totals"]["interruptions"] == 1
    (share,) = document["by_task"]
    assert share["value"] == "dag.task_0"
    assert (share["interruptions"], share["lost_hours"], share["per_spot_hour"]) == (1, 1.0, 1.0)


def test_csv_commands_no_terminal() -> None:
    told = command.as_csv(found(zone="a\x1b]0;OWNED\x07\nb\u2028c"))
    assert all(letter.isprintable() or letter == "\n" for letter in told)
    assert "zone,a ]0;OWNED  b c,interruptions,1" in told


def test_csv_is_one_number_a_line_and_no_formula() -> None:
    lines = list(csv.reader(io.StringIO(command.as_csv(found()))))
    assert lines[0] == ["what", "value", "measure", "amount"]
    assert ["total", "", "interruptions", "1"] in lines
    assert ["total", "EUR", "estimated_savings", "-0.1"] in lines
    assert ["time", "2026-01-08T12:00:00+00:00", "spot_interruption", "1"] in lines
    assert ["task", "dag.task_0", "lost_hours", "1.0"] in lines
    assert ["zone", "'=1+1", "interruptions", "1"] in lines
    assert "\n" + "zone,'\t=1,interruptions,1\n" in command.as_csv(found(zone="\t=1"))


def test_a_time_may_end_with_z() -> None:
    parser = ArgumentParser()
    command.add_arguments(parser)
    for start, end in (("--start", "--end"), ("--start-date", "--end-date"), ("-s", "-e")):
        args = parser.parse_args([start, "2026-01-01T00:00:00Z", end, "2026-01-02"])
        assert (args.start, args.end) == (datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 2))


def test_a_time_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--start", "yesterday"])
    assert "argument -s/--start-date/--start: must be ISO 8601, such as 2026-11-25" in capsys.readouterr().err


def test_a_terminal_only_shows_what_comes_from_outside() -> None:
    assert "\x1b" not in command.table(found(zone="\x1b[31mz1"))


def test_progress_is_for_a_person(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with command._progress() as nobody:
        assert nobody is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with command._progress() as tell:
        assert tell is not None
        for done in (1, 2, 100, 200):
            tell(done, 200)
    assert capsys.readouterr().err.split("\r") == [
        "",
        "reading task instances: 0 % of 200",
        "reading task instances: 1 % of 200",
        "reading task instances: 50 % of 200",
        "reading task instances: 100 % of 200\n",
    ]


def test_plain_is_one_number_a_line_for_a_shell() -> None:
    lines = [line.split() for line in command.as_plain(found()).splitlines()]
    assert ["total", "interruptions", "1"] in lines
    assert ["task", "dag.task_0", "lost_hours", "1"] in lines

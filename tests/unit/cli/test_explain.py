# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.cli import main
from airflow_interruptible.cli.explain import MAX_LINE, add_arguments, answers
from airflow_interruptible.cli.explain import run as explain

if TYPE_CHECKING:
    from pathlib import Path

SPOT = {"service": "fargate", "surface": "stoppedReason/stopCode", "payload": {"stopCode": "SpotInterruption"}}


def run(*arguments: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    explain(parser.parse_args(arguments))


def test_one_line_in_is_one_line_out_in_order() -> None:
    lines = [json.dumps(SPOT), "not json", "", "[]", "17", json.dumps({"service": "ecs"}), json.dumps(SPOT)]

    found = [json.loads(answer) for answer in answers(lines)]

    assert [answer["cause"] for answer in found] == ["spot_interruption", *["unknown"] * 5, "spot_interruption"]
    assert all(set(answer) == {"cause", "charge", "rule", "reason"} for answer in found)
    assert found[0] | {"reason": ""} == {
        "cause": "spot_interruption", "charge": "system", "rule": "ecs/spot-stop-code", "reason": "",
    }  # fmt: skip
    assert [found[1]["reason"], found[3]["reason"]] == [
        "the line is not JSON that can be read",
        "the line is JSON, but not an object with service, surface and payload",
    ]


def test_labels_are_never_read() -> None:
    lying = {**SPOT, "label": "user", "note": "OOM", "id": "x", "kind": "derived", "source": "OutOfMemory"}

    assert list(answers([json.dumps(lying)])) == list(answers([json.dumps(SPOT)]))


@pytest.mark.parametrize(
    "line",
    ["[" * 200_000, '{"payload": ' * 50_000, '{"a": ' + "9" * 10_000 + "}", "x" * (MAX_LINE + 1), "\x00", "\udcff"],
)
def test_a_hostile_line_is_an_answer_too(line: str) -> None:
    (answer,) = answers([line])

    assert json.loads(answer)["cause"] == "unknown"


@given(st.text())
def test_any_line_is_answered(line: str) -> None:
    assert len(list(answers([line]))) == 1


def test_the_machine_form_reads_a_file_and_counts_its_lines_by_line_feeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "payloads.jsonl"
    file.write_bytes(
        json.dumps(SPOT).encode() + b"\r\n" + "a\u2028b\rc\x0bd".encode() + b"\xff\n" + json.dumps(SPOT).encode()
    )

    run("--jsonl", str(file))

    assert [json.loads(line)["rule"] for line in capsys.readouterr().out.splitlines()] == [
        "ecs/spot-stop-code", None, "ecs/spot-stop-code",
    ]  # fmt: skip


def test_the_machine_form_reads_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(SPOT).encode() + b"\nx\n")))

    run("--jsonl", "-")

    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_human_form_says_which_rule_from_where_and_what_would_change_it(capsys: pytest.CaptureFixture[str]) -> None:
    run("--service", "ecs", "--surface", "stoppedReason", "Host EC2 (instance i-0abc) terminated.")

    said = capsys.readouterr().out
    assert "infrastructure, charged to: system" in said
    assert "ecs/host-gone" in said
    assert "https://docs.aws.amazon.com/" in said
    assert "otherwise: spot_interruption by ecs/host-gone-on-spot, had the attempt been known to run on spot" in said


def test_a_payload_may_come_from_a_file_and_a_context_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "task.json"
    file.write_text('{"stoppedReason": "Host EC2 (instance i-0abc) terminated."}')

    run("--service", "ecs", "--context", '{"capacity": "spot"}', f"@{file}")

    assert "ecs/host-gone-on-spot" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give --service and a payload, --jsonl FILE or --attempt"),
        (["--service", "ecs"], "give --service and a payload"),
        (["--service", "ecs", "x", "--context", "[1]"], "--context must be a JSON object"),
        (["--service", "ecs", "x", "--context", "{"], "--context must be a JSON object"),
        (["--service", "ecs", "@/does/not/exist"], "No such file"),
        (["--jsonl", "/does/not/exist"], "No such file"),
    ],
)
def test_wrong_usage_ends_in_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert says in said
    assert said.count("\n") == 1


def test_an_unknown_service_is_told_which_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "--service", "foo", "x"])
    assert "known:     airflow, aks, " in capsys.readouterr().out
    for spelling in ("k8s", "ECS"):
        main(["explain", "--service", spelling, "x"])
        assert "known:" not in capsys.readouterr().out


@pytest.mark.parametrize(("closed", "status"), [(">&-", 141), ("<&-", 2)])
def test_a_closed_stream_is_no_traceback(closed: str, status: int) -> None:
    command = f'"{sys.executable}" -m airflow_interruptible explain --jsonl - {closed}'
    done = subprocess.run(["sh", "-c", command], input=None, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert "Traceback" not in done.stderr

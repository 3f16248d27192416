# SPDX-License-Identifier: Apache-2.0
"""The kinds of launched work: an author's arguments in, what each capacity makes of them out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_interruptible.compute.launched import LAUNCHERS
from airflow_interruptible.core.capacity import CapacityType

CASES = sorted((Path(__file__).parent / "launched").glob("*/*.json"))
WORK = {known.kind: known.work for known in LAUNCHERS.values() if known is not None and known.work_path}


def test_every_kind_has_a_case() -> None:
    assert {case.parent.name for case in CASES} == set(WORK)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
@pytest.mark.parametrize("capacity", CapacityType, ids=lambda capacity: capacity.value)
def test_placed(case: Path, capacity: CapacityType) -> None:
    golden, work = json.loads(case.read_text()), WORK[case.parent.name]
    arguments, before = golden["arguments"], json.dumps(golden["arguments"])
    options = golden.get("options", {})
    work.check_options(options)
    work.check(arguments, options)
    changes = work.placed(arguments, options, capacity)
    assert changes == golden[capacity.value]
    assert set(changes) <= work.owns
    assert json.dumps(arguments) == before, "what the author wrote is copied, never changed"
    placed = {**arguments, **changes}
    assert work.asked(placed, options) in (capacity, None)
    assert work.placed(placed, options, capacity) == changes, "placing twice is placing once"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_identified(case: Path) -> None:
    golden, work = json.loads(case.read_text()), WORK[case.parent.name]
    assert work.identified(golden["arguments"], 1) == golden.get("attempt 1", {})
    assert work.identified(golden["arguments"], 2) == golden.get("attempt 2", {})

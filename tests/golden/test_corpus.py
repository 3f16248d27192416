# SPDX-License-Identifier: Apache-2.0
"""A labelled corpus from outside, where the environment names one: what must hold on it without exception."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.classification import classify
from airflow_interruptible.core.payload import read
from airflow_interruptible.rules import DEFAULT_RULES, DEFAULT_SURFACES

CORPUS = Path(os.environ.get("AIRFLOW_INTERRUPTIBLE_CORPUS", "no corpus"))

NO_EVIDENCE = {"af-false-success"}
"""Labelled an interruption by what people found out later; the payload itself says SIGTERM and success."""

pytestmark = pytest.mark.skipif(not CORPUS.is_file(), reason="AIRFLOW_INTERRUPTIBLE_CORPUS names no file")


def lines(*labels: str) -> list[tuple[dict[str, Any], Cause]]:
    found = []
    for line in CORPUS.read_text().splitlines():
        entry = json.loads(line)
        evidence = read(
            entry["service"], entry["surface"], entry["payload"], entry.get("context"), surfaces=DEFAULT_SURFACES
        )
        if entry["label"] in labels:
            found.append((entry, classify(evidence, DEFAULT_RULES).cause))
    assert found
    return found


def test_no_user_error_is_charged_to_the_system() -> None:
    assert [entry["id"] for entry, cause in lines("user") if cause.charge is Charge.SYSTEM] == []


def test_no_other_loss_is_called_an_interruption() -> None:
    wrong = [e["id"] for e, cause in lines("infrastructure", "capacity", "user") if cause is Cause.SPOT_INTERRUPTION]
    assert wrong == []


def test_every_interruption_that_carries_its_evidence_is_recognised() -> None:
    missed = {e["id"] for e, cause in lines("spot_interruption") if cause is not Cause.SPOT_INTERRUPTION}
    assert missed <= NO_EVIDENCE


def test_what_could_be_either_is_charged_to_the_system_only_where_a_host_is_gone() -> None:
    charged = [e for e, cause in lines("ambiguous") if cause.charge is Charge.SYSTEM]
    assert all("Host EC2" in json.dumps(entry["payload"]) for entry in charged)

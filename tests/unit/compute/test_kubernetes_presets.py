# SPDX-License-Identifier: Apache-2.0
"""What each vendor's pods look like: one file for each preset and capacity, with the page that it was read from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_interruptible.compute.base import Slot
from airflow_interruptible.compute.kubernetes import KubernetesCompute
from airflow_interruptible.compute.kubernetes_presets import PRESETS
from airflow_interruptible.core.capacity import CapacityType

GOLDEN = Path(__file__).parents[2] / "golden" / "placement"
FILES = sorted(GOLDEN.glob("*.json"))


def meaning(file: Path) -> tuple[str, CapacityType]:
    """The preset and the capacity that a file is named after."""
    (capacity,) = [capacity for capacity in CapacityType if file.stem.endswith(f"-{capacity.value}")]
    return file.stem.removesuffix(f"-{capacity.value}"), capacity


def as_json(pod: Any) -> dict[str, Any]:
    generator = pytest.importorskip("airflow.providers.cncf.kubernetes.pod_generator").PodGenerator
    written: dict[str, Any] = generator.serialize_pod(pod)
    return written


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_pod_is_the_one_on_file(file: Path) -> None:
    preset, capacity = meaning(file)
    golden = json.loads(file.read_text())
    generator = pytest.importorskip("airflow.providers.cncf.kubernetes.pod_generator").PodGenerator
    slot = Slot(executor_config={"pod_override": generator.deserialize_model_dict(golden["author"])})
    placed = KubernetesCompute({"preset": preset}).place(slot, capacity).executor_config
    assert as_json(placed["pod_override"]) == golden["placed"]
    assert PRESETS[preset].source == golden["source"]


def test_every_preset_and_capacity_is_on_file() -> None:
    assert {meaning(file) for file in FILES} == {(preset, capacity) for preset in PRESETS for capacity in CapacityType}


@pytest.mark.parametrize("preset", PRESETS)
def test_no_node_is_both_spot_and_on_demand(preset: str) -> None:
    """What spot requires, on-demand excludes."""
    (required,) = PRESETS[preset].spot.match_expressions
    excluded = {**required, "operator": "NotIn"}
    assert excluded in PRESETS[preset].on_demand.match_expressions


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_names_its_source(preset: str) -> None:
    assert PRESETS[preset].source.startswith("https://")

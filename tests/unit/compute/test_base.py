# SPDX-License-Identifier: Apache-2.0
"""What every compute must hold: placing is idempotent, reversible, and leaves alone what is not its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.compute import Compute, ComputeChoice, Slot
from airflow_interruptible.core.capacity import CapacityType

PAIR = {"spot": "cheap", "on_demand": "safe"}
PLACES = st.none() | st.sampled_from(["default", "cheap", "safe", "gpu"])
SLOTS = st.builds(
    Slot, PLACES, PLACES, st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3)
)
CAPACITIES = st.sampled_from(CapacityType)


CHOICES = [
    ComputeChoice("none"),
    ComputeChoice("queue", PAIR),
    ComputeChoice("executor", PAIR),
    *map(ComputeChoice, ("karpenter", "eks", "gke", "aks")),
]
EVERY_COMPUTE = pytest.mark.parametrize(
    "compute", [choice.build() for choice in CHOICES], ids=[choice.name for choice in CHOICES]
)
PLACES = st.none() | st.sampled_from(["default", "cheap", "safe", "gpu"])
SLOTS = st.builds(
    Slot, PLACES, PLACES, st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3)
)
CAPACITIES = st.sampled_from(CapacityType)


CHOICES = [
    ComputeChoice("none"),
    ComputeChoice("queue", PAIR),
    ComputeChoice("executor", PAIR),
    *map(ComputeChoice, ("karpenter", "eks", "gke", "aks")),
]
EVERY_COMPUTE = pytest.mark.parametrize(
    "compute", [choice.build() for choice in CHOICES], ids=[c.name for c in CHOICES]
)


@EVERY_COMPUTE
@given(slot=SLOTS, capacity=CAPACITIES)
def test_placing_twice_is_placing_once(compute: Compute, slot: Slot, capacity: CapacityType) -> None:
    once = compute.place(slot, capacity)
    assert compute.place(once, capacity) == once


@EVERY_COMPUTE
@given(slot=SLOTS, first=CAPACITIES, second=CAPACITIES)
def test_the_last_placing_counts(compute: Compute, slot: Slot, first: CapacityType, second: CapacityType) -> None:
    assert compute.place(compute.place(slot, first), second) == compute.place(slot, second)


@EVERY_COMPUTE
@given(slot=SLOTS, capacity=CAPACITIES)
def test_the_author_s_executor_config_survives(compute: Compute, slot: Slot, capacity: CapacityType) -> None:
    assert {**compute.place(slot, capacity).executor_config, **slot.executor_config} == compute.place(
        slot, capacity
    ).executor_config


@EVERY_COMPUTE
@given(slot=SLOTS, capacity=CAPACITIES)
def test_a_queue_never_tells_the_wrong_capacity(compute: Compute, slot: Slot, capacity: CapacityType) -> None:
    placed = compute.place(Slot(queue="default"), capacity)
    assert compute.capacity_of(placed.queue) in (None, capacity)

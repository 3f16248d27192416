# SPDX-License-Identifier: Apache-2.0
"""Computes are found by name, and one task may name another than airflow.cfg does."""

from __future__ import annotations

import pytest

from airflow_interruptible.compute import COMPUTES, ComputeChoice
from airflow_interruptible.compute.base import Slot
from airflow_interruptible.compute.none import NoCompute
from airflow_interruptible.compute.queue import QueueCompute
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError

PAIR = {"spot": "cheap", "on_demand": "safe"}


def test_a_choice_builds_its_compute() -> None:
    assert isinstance(ComputeChoice().build(), NoCompute)
    assert isinstance(ComputeChoice("queue", PAIR).build(), QueueCompute)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"no compute called 'quue'\. Known names: .*none.*queue"):
        ComputeChoice("quue").build()


@pytest.mark.parametrize("name", COMPUTES)
def test_every_path_in_the_table_leads_somewhere(name: str) -> None:
    """With options that mean nothing, a compute refuses; it must not fail to load."""
    with pytest.raises(ConfigurationError, match="option"):
        ComputeChoice(name, {"no such option": 1}).build()


def test_nothing_said_inherits() -> None:
    choice = ComputeChoice("queue", PAIR)
    assert choice.overridden_by(None) is choice


def test_the_same_name_keeps_the_options() -> None:
    assert ComputeChoice("queue", PAIR).overridden_by("queue") == ComputeChoice("queue", PAIR)


def test_another_name_drops_them() -> None:
    assert ComputeChoice("queue", PAIR).overridden_by("none") == ComputeChoice("none", {})


def test_a_mapping_brings_its_own_options() -> None:
    assert ComputeChoice("none").overridden_by({"name": "queue", **PAIR}) == ComputeChoice("queue", PAIR)


@pytest.mark.parametrize("wrong", [1, True, {}, {"spot": "x"}, {"name": None}, ["queue"]])
def test_anything_else_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="compute must be a name or a mapping with a 'name'") as raised:
        ComputeChoice().overridden_by(wrong)
    assert repr(wrong) in str(raised.value)


def test_no_compute_leaves_every_slot_alone() -> None:
    slot = Slot("q", "e", {"a": 1})
    compute = ComputeChoice().build()
    compute.check(slot)
    for capacity in CapacityType:
        assert compute.place(slot, capacity) is slot
    assert compute.capacity_of("q") is None

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import count

import pytest

from airflow_interruptible.testing.errors import LabTimeoutError
from airflow_interruptible.testing.polling import wait_until


def test_returns_the_first_state_that_will_do() -> None:
    states = count()

    assert wait_until(lambda: next(states), lambda state: state >= 3, what="three", timeout=5, interval=0) == 3


def test_looks_once_even_without_time() -> None:
    assert wait_until(lambda: "there", bool, what="it", timeout=0) == "there"


def test_a_time_out_tells_the_states_it_saw_but_each_only_once() -> None:
    states = iter(["queued"] * 5 + ["running"] * 10_000)

    with pytest.raises(LabTimeoutError) as raised:
        wait_until(lambda: next(states), lambda _: False, what="success", timeout=0.05, interval=0.001)

    first, *seen = str(raised.value).splitlines()
    assert first == "waited 0.05 s for success; seen instead:"
    assert [line.split(": ")[1] for line in seen] == ["queued", "running"]


def test_what_a_look_raises_ends_the_wait() -> None:
    def look() -> int:
        raise KeyError("gone")

    with pytest.raises(KeyError):
        wait_until(look, bool, what="it", timeout=60)

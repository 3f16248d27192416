# SPDX-License-Identifier: Apache-2.0
"""What somebody may write where a ledger belongs, or a marker: each once cost somebody else something, or might."""

from __future__ import annotations

from typing import Any

LONG = "x" * 60_000


def ledger(**parts: Any) -> dict[str, Any]:
    return {"version": 1, "max_tries": 5, "bases": [0], "attempts": {}, **parts}


FORGED = [
    ledger(bases=[-(10**9)]),
    ledger(bases=[-40_000]),
    ledger(bases=[10**6]),
    ledger(bases=[0, 2] * 8000),
    ledger(bases=list(range(9000))),
    ledger(bases=[0, 10**9]),
    ledger(max_tries=10**9),
    ledger(max_tries=-(10**9)),
    ledger(attempts={str(number): {} for number in range(1, 8000)}),
    ledger(attempts={str(number): {} for number in range(1, 1999)}),
    ledger(attempts={str(10**5 + number): {"capacity": "spot"} for number in range(2500)}),
    ledger(attempts={"1": {"capacity": LONG}}),
    ledger(attempts={"1": {"where": {"zone": LONG, "instance_type": LONG}}}),
    ledger(attempts={"1": {"where": {str(number): number for number in range(5000)}}}),
    ledger(attempts={"1": {"started": "0001-01-01T00:00:00+00:00"}}),
    ledger(attempts={"1": {"started": LONG}}),
    ledger(attempts={"9" * 60_000: {}}),
    ledger(attempts={"1": {"rule": LONG, "reason": LONG, "why": LONG}}),
    ledger(terms={"user_retries": 10**9, "system_retries": 10**9, "interruptible": True}),
    ledger(terms={"user_retries": 999_999, "system_retries": 999_999, "interruptible": True}),
    ledger(attempts={"1": {"away": 10**400}}),
    LONG,
    [[[[]]]] * 9000,
]

MARKERS: list[Any] = [
    {"interruptible": True, "capacity": "spot", "user_retries": 10**9, "system_retries": 10**9},
    {"interruptible": True, "capacity": "spot", "user_retries": -5, "system_retries": -(10**9)},
    {"interruptible": True, "capacity": LONG, "user_retries": 2, "system_retries": 2},
    {"interruptible": LONG, "capacity": "spot", "user_retries": 2, "system_retries": 2},
    {"interruptible": True, "capacity": "spot", "user_retries": 2, "system_retries": 2, "system_retry_delay": 1e300},
    {"interruptible": True, "capacity": "spot", "user_retries": 2, "system_retries": 2, "system_retry_delay": "soon"},
    {"interruptible": True, "capacity": "spot", "user_retries": 2, "system_retries": 2, "compute": {"name": LONG}},
    {"interruptible": True, "capacity": "spot", "user_retries": 2, "system_retries": 2, "compute": [[[[]]]] * 9000},
    {"interruptible": True, "capacity": "spot", "user_retries": 2, "system_retries": 2, "retry_delay": -1},
    {str(number): number for number in range(9000)},
    LONG,
    [],
    None,
]
"""What may stand under the marker's key of an ``executor_config``."""

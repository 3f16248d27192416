# SPDX-License-Identifier: Apache-2.0
"""What is known of an attempt besides the payload: what it ran on, where, and whether it had already succeeded.

Unknown keys are ignored, since callers pass whatever they have. A capacity that is not one of the known words is
no capacity at all: "unknown" must never count as a second witness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.evidence import Identity, field_key

SPELLINGS = {
    word: capacity
    for capacity, words in {
        CapacityType.SPOT: ("spot", "preemptible", "low-priority", "lowpriority", "fargate_spot"),
        CapacityType.ON_DEMAND: ("on-demand", "on_demand", "ondemand", "standard", "regular", "dedicated", "fargate"),
    }.items()
    for word in words
}
"""How vendors and people write the two capacities."""

_CAPACITY = ("provisioning", "nodeprovisioning", "provisioningmodel", "capacity", "capacitytype")
_MACHINES = {
    name: kind
    for kind, names in {
        "instance": ("instance", "instanceid", "thisinstance", "ec2instanceid"),
        "node": ("node", "nodename", "thisnode", "k8snodename"),
        "vm": ("vm", "vmname", "thisvm"),
        "pod": ("pod", "podname", "thispod"),
        "task": ("ecstask", "taskarn", "thistask"),
        "job": ("batchjob", "jobid", "jobname", "jobrunid", "thisjob"),
    }.items()
    for name in names
}
"""What the attempt ran on, or in: the keys, spelled by :func:`field_key`, to the kind of thing they name."""
_STATE = ("state", "finalstate", "attemptstate")
_SUCCEEDED = ("success", "succeeded", "true")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the attempt."""

    capacity: CapacityType | None = None
    ran_on: frozenset[Identity] = frozenset()
    succeeded: bool = False


def known(context: object) -> Known:
    """Read a context. Anything but a mapping knows nothing."""
    if not isinstance(context, Mapping):
        return Known()
    words = {field_key(key): _word(value) for key, value in context.items() if isinstance(key, str)}
    capacity = next((SPELLINGS[words[key]] for key in _CAPACITY if words.get(key) in SPELLINGS), None)
    named = ((kind, words[key]) for key, kind in _MACHINES.items() if words.get(key))
    ran_on = frozenset((kind, name) for kind, whole in named for name in (whole, whole.rpartition("/")[2]) if name)
    succeeded = any(words.get(key) in _SUCCEEDED for key in (*_STATE, "succeeded"))
    return Known(capacity, ran_on, succeeded)


def _word(value: object) -> str:
    """A word, ``true`` or ``false``; anything else is no word."""
    if isinstance(value, bool):
        return str(value).casefold()
    return value.casefold() if isinstance(value, str) else ""

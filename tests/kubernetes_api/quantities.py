# SPDX-License-Identifier: Apache-2.0
"""Kubernetes quantities as exact numbers: ``500m`` is one half, ``1Gi`` is 2**30. Pure.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from kubernetes_api.objects import Object, dig

if TYPE_CHECKING:
    from collections.abc import Iterable

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_FORM = re.compile(r"^(?P<number>[+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?P<suffix>[KMGTPE]i|[numkMGTPE]?)$")


def quantity(text: str | float) -> Fraction:
    """Parse a quantity.

    :raises ValueError: when it is none.
    """
    match = _FORM.match(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity. Write it like 2, 500m or 1Gi.")
    number, suffix = Fraction(match["number"]), match["suffix"]
    return number * 2 ** _BINARY[suffix] if suffix in _BINARY else number * Fraction(10) ** _DECIMAL[suffix]


def cpu_requested(pod: Object) -> Fraction:
    """What the scheduler counts for a pod: the sum of its containers or its largest init container.

    https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
    """
    initial = _cpu(dig(pod, "spec", "initContainers") or [])
    return max([sum(_cpu(dig(pod, "spec", "containers") or []), Fraction(0)), *initial])


def _cpu(containers: Iterable[Object]) -> list[Fraction]:
    return [
        quantity(dig(each, "resources", "requests", "cpu") or dig(each, "resources", "limits", "cpu") or 0)
        for each in containers
    ]

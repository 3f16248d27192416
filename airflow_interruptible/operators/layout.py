# SPDX-License-Identifier: Apache-2.0
"""What lets an operator that was made already become interruptible: classes that lay out their objects alike.

Between others Python changes no object's class. It does not compare what there is, but where both layouts come from,
which is their first bases' root. Most operators come from ``object``, as our mixins do. Resumable ones come from
``ABC``, their first base's only base, and so must what is made of them (``compatible_for_assignment`` in CPython's
Objects/typeobject.c).
"""

from __future__ import annotations

from functools import cache
from typing import Any


def footing(operator_class: Any) -> tuple[type, ...]:
    """Return what stands first among the bases of a subclass, so that an instance of the class may become its own."""
    kind = operator_class
    while kind.__base__ is not None and _layout(kind) == _layout(kind.__base__):
        kind = kind.__base__
    root = kind.__base__
    return () if root in (None, object) else (_upon(root),)


def _layout(kind: Any) -> tuple[int, int, int, int]:
    return kind.__basicsize__, kind.__itemsize__, kind.__dictoffset__, kind.__weakrefoffset__


@cache
def _upon(root: Any) -> type:
    """Return a class that adds to ``root`` what every class adds, and nothing else."""
    made: type = type(root)(f"Upon{root.__name__}", (root,), {})
    return made

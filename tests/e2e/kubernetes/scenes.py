"""Every scene of this folder by its name. They are played side by side, before the first test looks at any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from e2e.kubernetes.stage import Scene

if TYPE_CHECKING:
    from collections.abc import Mapping

SCENES: Mapping[str, Scene] = {
    # the table of the README, with nodes reclaimed under running pods
    "u0_s3: ok": Scene("u0_s3", ["ok"]),
    "u0_s3: I ok": Scene("u0_s3", ["shutdown", "ok"]),
    "u2_s3: A A A": Scene("u2_s3", ["A", "A", "A"]),
    "u2_s3: I I ok": Scene("u2_s3", ["taint", "eviction", "ok"]),
    "u2_s3: I I I I A A": Scene("u2_s3", ["shutdown", "abrupt", "eviction", "taint", "A", "A"]),
    "u1_s3: I A I ok": Scene("u1_s3", ["eviction", "A", "shutdown", "ok"]),
    "u2_s0: I I I": Scene("u2_s0", ["taint", "shutdown", "eviction"]),
    # one kind of end each
    "importing": Scene("u2_s3", ["importing", "ok"]),
    "no such image": Scene("no_such_image"),
    "node gone while Pending": Scene("slow_at_first", ["pending"]),
    "abrupt on demand": Scene("u0_s3", ["abrupt", "ok"]),
    "a person": Scene("u2_s3", ["person", "ok"]),
    "out of memory": Scene("u2_s3", ["oom", "ok"]),
    "pressure": Scene("u0_s3", ["pressure", "ok"]),
    "no spot node": Scene("no_spot_node"),
    "own pod": Scene("own_pod", ["A", "ok"]),
}

# SPDX-License-Identifier: Apache-2.0
"""Kubernetes: what the author's own containers did, whatever else is true. It stands above the rules of the clouds."""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import says
from airflow_interruptible.rules.kubernetes import DOCS, PRESSURE, SOURCE, rule

RULES = (
    rule(
        "oom",
        {"terminated.reason | containers.reason | reason": "OOMKilled"},
        Cause.APPLICATION,
        "the container used more memory than its limit",
    ),
    rule(
        "deadline",
        {"reason | conditions.Failed.True.reason": "DeadlineExceeded"},
        Cause.APPLICATION,
        "the pod ran longer than its own deadline",
        source=f"{DOCS}/concepts/workloads/controllers/job/",
    ),
    rule(
        "own-storage-limit",
        {
            "message": says(
                r"(?:Pod ephemeral local storage usage exceeds|Usage of EmptyDir volume"
                r"|Container \S+ exceeded its local ephemeral storage limit).*"
            )
        },
        Cause.APPLICATION,
        "the pod used more local storage than its own limit",
        source=f"{SOURCE}/kubelet/eviction/helpers.go",
    ),
    rule(
        "own-consumption",
        {
            "reason": "Evicted",
            "message": says(
                r"The node was low on resource: .*"
                r" (?:has larger consumption of|was using \S+, which exceeds its request of) .*"
            ),
        },
        Cause.UNKNOWN,
        "the node ran low, but the pod itself used more than it had asked for",
        source=PRESSURE,
    ),
)

# SPDX-License-Identifier: Apache-2.0
"""Who removed a node or evicted a pod, and why: the cluster autoscaler, the descheduler, Kueue, Draino.

What they say stands above what a spot node that is gone is presumed to mean.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.rules.kubernetes import AUTOSCALER, TAINT, VISIBILITY

DESCHEDULER = "https://github.com/kubernetes-sigs/descheduler/blob/master/pkg/descheduler/evictions/evictions.go"
KUEUE = "https://github.com/kubernetes-sigs/kueue/blob/main/apis/kueue/v1beta1/workload_types.go"

rule = Table("k8s", ("k8s", "eks", "gke", "aks"), AUTOSCALER)

RULES = (
    rule(
        "taint-scaled-down",
        {TAINT: "ToBeDeletedByClusterAutoscaler"},
        Cause.INFRASTRUCTURE,
        "the cluster autoscaler is removing the node",
        source=AUTOSCALER,
    ),
    rule(
        "event-scale-down",
        {"reason": ("ScaleDown", "ScaleDownEmpty")},
        Cause.INFRASTRUCTURE,
        "the cluster autoscaler removed the node",
        source=AUTOSCALER,
    ),
    rule(
        "event-scale-down-log",
        {"messageId": "scale.down.node"},
        Cause.INFRASTRUCTURE,
        "the cluster autoscaler removed the node",
        source=VISIBILITY,
    ),
    rule(
        "descheduled",
        {
            "reason": says(
                r"Descheduled|LowNodeUtilization|HighNodeUtilization|PodLifeTime|Remove(?:Pods|Duplicates|Failed)\w*"
            )
        },
        Cause.INFRASTRUCTURE,
        "the descheduler evicted the pod",
        source=DESCHEDULER,
    ),
    rule(
        "descheduled-message",
        {
            "message": says(
                r"pod eviction from \S+ node by sigs\.k8s\.io/descheduler|pod evicted by sigs\.k8s\.io/descheduler\w*.*"
            )
        },
        Cause.INFRASTRUCTURE,
        "the descheduler evicted the pod",
        source=DESCHEDULER,
    ),
    rule(
        "kueue-stopped-by-person",
        {"reason | conditions.Evicted.True.reason": ("EvictedDueToDeactivated", "Deactivated", "InactiveWorkload")},
        Cause.USER_ACTION,
        "somebody deactivated the workload",
        source=KUEUE,
    ),
    rule(
        "kueue-evicted",
        {
            "reason": words("""
                EvictedDueToPreempted EvictedDueToNodeFailures EvictedDueToAdmissionCheck
                EvictedDueToClusterQueueStopped EvictedDueToLocalQueueStopped
            """)
        },
        Cause.INFRASTRUCTURE,
        "Kueue took the workload's quota for another, or its nodes failed",
        source=KUEUE,
    ),
    rule(
        "kueue-evicted-condition",
        {
            "conditions.Evicted.True.reason": words("""
                Preempted NodeFailures AdmissionCheck ClusterQueueStopped LocalQueueStopped
            """)
        },
        Cause.INFRASTRUCTURE,
        "Kueue took the workload's quota for another, or its nodes failed",
        source=KUEUE,
    ),
    rule(
        "drained",
        {"reason": ("DrainStarting", "DrainSucceeded")},
        Cause.INFRASTRUCTURE,
        "Draino drained the node",
        source="https://github.com/planetlabs/draino/blob/master/internal/kubernetes/eventhandler.go",
    ),
)

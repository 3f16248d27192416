# SPDX-License-Identifier: Apache-2.0
"""Where a pod goes, and what is said when it can go nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kubernetes_api.nodes import PRESETS, NodeOptions, new_node
from kubernetes_api.placement import tolerates, why_not
from kubernetes_api.quantities import quantity
from kubernetes_api.scheduler import explanation
from kubernetes_api_tests.pods import SPACE, InPhase, conditions

if TYPE_CHECKING:
    from kubernetes import client
    from kubernetes_api import KubernetesCluster
    from kubernetes_api_tests.pods import RunPod, Until

TAINT = {"key": "dedicated", "value": "spot", "effect": "NoSchedule"}
NODE = new_node("n", NodeOptions(labels={"tier": "spot", "generation": "5"}))


def pod_with(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "base"}], **spec}}


def wanting(*terms: list[tuple[str, str, list[str]]]) -> dict[str, Any]:
    """A pod with node affinity terms, each a list of (key, operator, values)."""
    required = [
        {"matchExpressions": [{"key": key, "operator": operator, "values": values} for key, operator, values in term]}
        for term in terms
    ]
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": required}}
    return pod_with(affinity={"nodeAffinity": rule})


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        (("tier", "In", ["spot", "x"]), True),
        (("tier", "In", ["x"]), False),
        (("tier", "NotIn", ["x"]), True),
        (("tier", "NotIn", ["spot"]), False),
        (("other", "NotIn", ["x"]), True),
        (("tier", "Exists", []), True),
        (("other", "Exists", []), False),
        (("other", "DoesNotExist", []), True),
        (("tier", "DoesNotExist", []), False),
        (("generation", "Gt", ["4"]), True),
        (("generation", "Gt", ["5"]), False),
        (("generation", "Lt", ["6"]), True),
        (("tier", "Gt", ["1"]), False),
        (("other", "Lt", ["1"]), False),
    ],
)
def test_node_affinity_operators(expression: tuple[str, str, list[str]], fits: bool) -> None:
    assert (why_not(wanting([expression]), NODE, []) is None) is fits


def test_terms_are_ored_and_expressions_anded() -> None:
    yes, no = ("tier", "In", ["spot"]), ("tier", "In", ["x"])
    assert why_not(wanting([no], [yes]), NODE, []) is None
    assert why_not(wanting([yes, no]), NODE, []) is not None
    assert why_not(wanting([]), NODE, []) is not None  # an empty term matches nothing


def test_node_selector_and_affinity_both_hold() -> None:
    pod = wanting([("tier", "In", ["spot"])])
    pod["spec"]["nodeSelector"] = {"generation": "4"}
    assert why_not(pod, NODE, []) == "node(s) didn't match Pod's node affinity/selector"


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"key": "dedicated", "value": "spot"}, True),
        ({"key": "dedicated", "value": "spot", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "value": "spot", "effect": "NoExecute"}, False),
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "dedicated"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_tolerations(toleration: dict[str, str], fits: bool) -> None:
    assert tolerates(toleration, TAINT) is fits
    tainted = new_node("n", NodeOptions(taints=[TAINT]))
    refusal = why_not(pod_with(tolerations=[toleration]), tainted, [])
    assert refusal == (None if fits else "node(s) had untolerated taint {dedicated: spot}")


def test_prefer_no_schedule_is_no_obstacle() -> None:
    tainted = new_node("n", NodeOptions(taints=[{**TAINT, "effect": "PreferNoSchedule"}]))
    assert why_not(pod_with(), tainted, []) is None


def test_resources() -> None:
    half = {"name": "a", "resources": {"requests": {"cpu": "500m"}}}
    small = new_node("n", NodeOptions(cpu="1", pods=2))
    assert why_not(pod_with(containers=[half, half]), small, []) is None
    assert why_not(pod_with(containers=[half, half]), small, [pod_with(containers=[half])]) == "Insufficient cpu"
    large = {"name": "i", "resources": {"limits": {"cpu": "2"}}}
    assert why_not(pod_with(initContainers=[large]), small, []) == "Insufficient cpu"
    assert why_not(pod_with(), small, [pod_with(), pod_with()]) == "Too many pods"


@pytest.mark.parametrize(("text", "value"), [("2", 2), ("500m", 0.5), ("1Gi", 2**30), (".5", 0.5), ("3k", 3000)])
def test_quantities(text: str, value: float) -> None:
    assert quantity(text) == value


def test_what_is_no_quantity() -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity("1 Gb")


def test_the_message_counts_and_sorts() -> None:
    affinity, taint = "node(s) didn't match Pod's node affinity/selector", "node(s) had untolerated taint {a: b}"
    assert explanation([taint, affinity, affinity, "Insufficient cpu"]) == (
        f"0/4 nodes are available: 1 Insufficient cpu, 1 {taint}, 2 {affinity}. "
        "preemption: 0/4 nodes are available: 1 No preemption victims found for incoming pod, "
        "3 Preemption is not helpful for scheduling."
    )
    assert explanation([]) == "no nodes available to schedule pods"


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_takes_its_own_pods(name: str) -> None:
    preset = PRESETS[name]
    tolerations = [{"operator": "Exists", "key": taint["key"]} for taint in preset.taints]
    node = new_node("n", NodeOptions(preset=name))
    assert why_not(pod_with(nodeSelector=dict(preset.labels), tolerations=tolerations), node, []) is None
    assert preset.source.startswith("https://")


def refused(v1: client.CoreV1Api, name: str) -> str | None:
    status, reason, message = conditions(v1.read_namespaced_pod(name, SPACE)).get("PodScheduled", ("", None, None))
    return message if (status, reason) == ("False", "Unschedulable") else None


def reasons(v1: client.CoreV1Api, name: str) -> set[tuple[str, str]]:
    found = v1.list_namespaced_event(SPACE, field_selector=f"involvedObject.name={name}").items
    return {(event.source.component, event.reason) for event in found}


def test_a_pod_that_fits_nowhere_waits_until_it_fits(
    v1: client.CoreV1Api, cluster: KubernetesCluster, run_pod: RunPod, until: Until, in_phase: InPhase
) -> None:
    cluster.add_node("aks", preset="aks-spot")
    cluster.add_node("eks", preset="eks-spot")
    run_pod("a", nodeSelector={"kubernetes.azure.com/scalesetpriority": "spot"})
    message = until(lambda: refused(v1, "a"))
    assert message is not None
    assert message.startswith(
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) had untolerated taint {kubernetes.azure.com/scalesetpriority: spot}."
    )
    assert v1.read_namespaced_pod("a", SPACE).status.phase == "Pending"
    assert ("default-scheduler", "FailedScheduling") in reasons(v1, "a")
    cluster.add_node("ours", labels={"kubernetes.azure.com/scalesetpriority": "spot"})
    assert in_phase("a", "Succeeded").spec.node_name == "ours"


@pytest.mark.parametrize(
    ("autoscaler", "event"),
    [
        ("cluster-autoscaler", ("cluster-autoscaler", "NotTriggerScaleUp")),
        ("gke", ("cluster-autoscaler", "FailedScaleUp")),
        ("karpenter", ("karpenter", "FailedScheduling")),
    ],
)
def test_autoscalers_say_why_they_do_not_help(
    *,
    v1: client.CoreV1Api,
    cluster: KubernetesCluster,
    run_pod: RunPod,
    until: Until,
    autoscaler: str,
    event: tuple[str, str],
) -> None:
    cluster.set_autoscaler(autoscaler)
    run_pod("a")
    until(lambda: event in reasons(v1, "a"))
    assert refused(v1, "a") == "no nodes available to schedule pods"


def test_no_spot_capacity(
    v1: client.CoreV1Api, cluster: KubernetesCluster, run_pod: RunPod, until: Until, in_phase: InPhase
) -> None:
    cluster.add_node("spot", preset="karpenter-spot")
    cluster.add_node("on-demand", preset="karpenter-on-demand")
    cluster.set_capacity("spot", 0)
    run_pod("a", nodeSelector={"karpenter.sh/capacity-type": "spot"})
    run_pod("b", nodeSelector={"karpenter.sh/capacity-type": "on-demand"})
    message = until(lambda: refused(v1, "a"))
    assert message is not None
    assert "1 Insufficient cpu" in message
    in_phase("b", "Succeeded")
    cluster.set_capacity("spot", 1)
    in_phase("a", "Succeeded")


def test_scheduling_can_be_held(
    v1: client.CoreV1Api, cluster: KubernetesCluster, node: str, run_pod: RunPod, in_phase: InPhase
) -> None:
    cluster.hold_scheduling()
    run_pod("a")
    assert v1.read_namespaced_pod("a", SPACE).status.conditions is None
    cluster.hold_scheduling(False)
    in_phase("a", "Succeeded")


def test_a_cordoned_node_takes_nothing(
    v1: client.CoreV1Api, node: str, run_pod: RunPod, until: Until, in_phase: InPhase
) -> None:
    v1.patch_node(node, {"spec": {"unschedulable": True}})
    run_pod("a")
    message = until(lambda: refused(v1, "a"))
    assert message is not None
    assert "1 node(s) were unschedulable" in message
    v1.patch_node(node, {"spec": {"unschedulable": None}})
    in_phase("a", "Succeeded")

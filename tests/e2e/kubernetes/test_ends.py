"""One kind of end each, of pods of the unmodified KubernetesExecutor: who pays, and where the next attempt is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from e2e.kubernetes.stage import DEMAND, SPOT, SPOT_TAINT

if TYPE_CHECKING:
    from e2e.kubernetes.stage import Played

pytestmark = pytest.mark.e2e

ENDS: dict[str, tuple[str, str, str | None, list[str]]] = {
    # cause, charge and rule of the first attempt; the capacities of all
    "importing": ("spot_interruption", "system", "k8s/shutdown-on-spot", [SPOT, SPOT]),
    "abrupt on demand": ("infrastructure", "system", "k8s/event-node", [DEMAND, DEMAND]),
    "a person": ("spot_interruption", "system", None, [SPOT, SPOT]),
    "out of memory": ("application", "user", "k8s/oom", [SPOT, SPOT]),
    "no spot node": ("no_capacity", "system", "k8s/unschedulable-on-spot", [SPOT, DEMAND]),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_end_is_charged_to_whom_it_belongs(name: str, played: dict[str, Played]) -> None:
    cause, charge, rule, capacities = ENDS[name]
    result = played[name]
    first = result.attempts[0]
    assert (first["cause"], first["charge"], first["rule"]) == (cause, charge, rule)
    told = (result.column("capacity"), result.rest, result.run.state)
    assert told == (capacities, capacities, "success"), result.reasons
    assert [pods[-1].capacity for pods in result.pods.values()] == capacities


def test_pressure_is_the_platform_s(played: dict[str, Played]) -> None:
    """Whether the task could still report within its second, or the next attempt has read the pod."""
    result = played["pressure"]
    assert result.column("cause") == ["infrastructure", None], result.reasons
    assert result.column("charge") == ["system", "none"], result.reasons
    assert result.rest == [DEMAND, DEMAND]


def test_a_pod_that_never_starts_is_no_want_of_capacity(played: dict[str, Played]) -> None:
    """Its image cannot be pulled. The executor tries each attempt twice by itself; then it was never started."""
    result = played["no such image"]
    assert result.run.state == "failed"
    assert result.column("cause") == ["infrastructure"] * 3, result.reasons
    assert result.column("charge") == ["system", "user", "user"], result.reasons
    assert result.column("capacity") == result.rest == [SPOT, DEMAND, DEMAND], result.reasons
    assert [len(pods) for pods in result.pods.values()] == [2, 2, 2]


def test_a_node_that_goes_before_the_pod_has_started_costs_no_attempt(played: dict[str, Played]) -> None:
    """The executor launches the same attempt again, on another spot node."""
    result = played["node gone while Pending"]
    assert (result.run.state, result.rest) == ("success", [SPOT])
    first, second = result.pods[1]
    assert {first.node_capacity, second.node_capacity} == {SPOT}
    assert first.node != second.node


def test_the_author_s_pod_survives_both_capacities(played: dict[str, Played]) -> None:
    pods = [sightings[0].pod for sightings in played["own pod"].pods.values()]
    assert [sightings[0].node_capacity for sightings in played["own pod"].pods.values()] == [SPOT, DEMAND]
    for pod in pods:
        required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        (term,) = required["nodeSelectorTerms"]
        assert {"key": "size", "operator": "In", "values": ["big"]} in term["matchExpressions"]
        assert {"key": "big", "operator": "Exists"} in pod["spec"]["tolerations"]
        assert {"name": "OWN", "value": "yes"} in pod["spec"]["containers"][0]["env"]
        assert pod["metadata"]["labels"]["team"] == "data"
        assert pod["metadata"]["labels"]["template"] == "ours", "what the pod template says is still there"
    spot, on_demand = (pod["spec"]["tolerations"] for pod in pods)
    assert [item for item in spot if item not in on_demand] == [{**SPOT_TAINT, "operator": "Equal"}]


def test_what_the_pod_template_tolerates_is_carried_over(played: dict[str, Played]) -> None:
    for sightings in played["u2_s3: A A A"].pods.values():
        tolerations: list[dict[str, Any]] = sightings[0].pod["spec"]["tolerations"]
        assert {"key": "template", "operator": "Exists"} in tolerations

# SPDX-License-Identifier: Apache-2.0
"""Where Airflow keeps pods: the override, the author's own beside it, the template, the database, the Dag."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.compute import ComputeChoice
from airflow_interruptible.compute.base import Slot
from airflow_interruptible.compute.kubernetes import AUTHOR, LABEL, KubernetesCompute, aks, eks, gke, karpenter
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

k8s = pytest.importorskip("kubernetes.client.models")
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator  # noqa: E402 - only where kubernetes is

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
GPU = k8s.V1Toleration(key="gpu", operator="Exists")
FREE = {
    "spot": {
        "node_selector": {"pool": "spot"},
        "tolerations": [{"key": "spot", "operator": "Exists", "tolerationSeconds": 30}],
        "labels": {"cost": "cheap"},
    },
    "on_demand": {"match_expressions": [{"key": "pool", "operator": "NotIn", "values": ["spot"]}]},
}


def own_pod(**spec: Any) -> Any:
    container = k8s.V1Container(name="base", image="mine")
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(labels={"team": "data"}), spec=k8s.V1PodSpec(containers=[container], **spec)
    )


def pinned(key: str, *values: str) -> Any:
    """An author's pod whose node affinity names values of a label."""
    term = k8s.V1NodeSelectorTerm(
        match_expressions=[k8s.V1NodeSelectorRequirement(key=key, operator="In", values=list(values))]
    )
    required = k8s.V1NodeSelector(node_selector_terms=[term])
    node = k8s.V1NodeAffinity(required_during_scheduling_ignored_during_execution=required)
    return own_pod(affinity=k8s.V1Affinity(node_affinity=node))


def spec_of(slot: Slot) -> dict[str, Any]:
    spec: dict[str, Any] = PodGenerator.serialize_pod(slot.executor_config["pod_override"])["spec"]
    return spec


COMPUTES = st.sampled_from(
    [
        karpenter({}),
        eks({}),
        gke({}),
        aks({}),
        KubernetesCompute({"preset": "gke-preemptible"}),
        KubernetesCompute(FREE),
    ]
)
CAPACITIES = st.sampled_from(CapacityType)
OVERRIDES = st.sampled_from(
    [
        None,
        k8s.V1Pod(),
        own_pod(),
        own_pod(tolerations=[GPU], node_selector={"zone": "a"}, priority=3),
        pinned("zone", "a", "b"),
        pinned("karpenter.sh/capacity-type", "on-demand"),
        own_pod(node_selector={"pool": "mine"}),
        {"spec": "not a pod"},
    ]
)
CONFIGS = st.builds(
    lambda others, override: {**others, **({} if override is None else {"pod_override": override})},
    st.dictionaries(st.sampled_from(["interruptible", "mine", "pod_template_file"]), st.just("/nowhere"), max_size=3),
    OVERRIDES,
)
SLOTS = st.builds(Slot, st.none() | st.just("q"), st.none() | st.just("KubernetesExecutor"), CONFIGS)


@given(compute=COMPUTES, slot=SLOTS, capacity=CAPACITIES)
def test_placing_twice_is_placing_once(compute: KubernetesCompute, slot: Slot, capacity: CapacityType) -> None:
    once = compute.place(slot, capacity)
    assert compute.place(once, capacity) == once


@given(compute=COMPUTES, slot=SLOTS, first=CAPACITIES, second=CAPACITIES)
def test_the_last_placing_counts(
    compute: KubernetesCompute, slot: Slot, first: CapacityType, second: CapacityType
) -> None:
    assert compute.place(compute.place(slot, first), second) == compute.place(slot, second)


@given(one=COMPUTES, other=COMPUTES, slot=SLOTS, capacity=CAPACITIES)
def test_another_compute_leaves_nothing_behind(
    one: KubernetesCompute, other: KubernetesCompute, slot: Slot, capacity: CapacityType
) -> None:
    """The options in airflow.cfg may change between two attempts."""
    assert other.place(one.place(slot, SPOT), capacity) == other.place(slot, capacity)


@given(compute=COMPUTES, slot=SLOTS, capacity=CAPACITIES)
def test_only_the_pod_moves(compute: KubernetesCompute, slot: Slot, capacity: CapacityType) -> None:
    placed = compute.place(slot, capacity)
    assert (placed.queue, placed.executor) == (slot.queue, slot.executor)
    ours = {"pod_override", AUTHOR}
    assert {key: value for key, value in placed.executor_config.items() if key not in ours} == {
        key: value for key, value in slot.executor_config.items() if key not in ours
    }


def test_the_author_s_object_is_not_changed() -> None:
    pod = own_pod(tolerations=[GPU])
    gke({}).place(Slot(executor_config={"pod_override": pod}), SPOT)
    assert pod == own_pod(tolerations=[GPU])


def test_the_label_tells_the_capacity() -> None:
    for capacity in CapacityType:
        pod = gke({}).place(Slot(executor_config={"pod_override": own_pod()}), capacity).executor_config["pod_override"]
        assert pod.metadata.labels[LABEL] == capacity.value
        assert pod.metadata.labels["team"] == "data"
        assert pod.spec.containers[0].image == "mine"


def test_free_form() -> None:
    compute = KubernetesCompute(FREE)
    spot = compute.place(Slot(), SPOT)
    assert spec_of(spot) == {
        "containers": [],
        "nodeSelector": {"pool": "spot"},
        "tolerations": [{"key": "spot", "operator": "Exists", "tolerationSeconds": 30}],
    }
    assert spot.executor_config["pod_override"].metadata.labels == {"cost": "cheap", LABEL: "spot"}
    assert set(spec_of(compute.place(spot, ON_DEMAND))) == {"containers", "affinity"}


def test_options_add_to_a_preset() -> None:
    taint = {"key": "mine", "operator": "Exists"}
    placed = karpenter({"spot": {"tolerations": [taint]}}).place(Slot(), SPOT)
    assert set(spec_of(placed)) == {"containers", "tolerations", "affinity"}
    assert spec_of(placed)["tolerations"] == [taint]


def test_a_name_of_a_vendor_is_a_preset() -> None:
    for name in ("karpenter", "eks", "gke", "aks"):
        by_name, by_option = ComputeChoice(name).build(), ComputeChoice("kubernetes", {"preset": name}).build()
        assert by_name.place(Slot(), SPOT) == by_option.place(Slot(), SPOT)
        assert by_name.capacity_of("default") is None


def test_airflow_merges_what_was_placed_with_its_own_pod() -> None:
    """The way of KubernetesExecutor: template, its own pod, our override."""
    base = k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(labels={"dag_id": "d"}),
        spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base", image="airflow")], restart_policy="Never"),
    )
    override = PodGenerator.from_obj(dict(gke({}).place(Slot(), SPOT).executor_config))
    merged = PodGenerator.serialize_pod(PodGenerator.reconcile_pods(base, override))
    assert merged["spec"]["containers"] == [{"name": "base", "image": "airflow"}]
    assert merged["spec"]["restartPolicy"] == "Never"
    assert merged["spec"]["tolerations"][0]["key"] == "cloud.google.com/gke-spot"
    assert merged["metadata"]["labels"]["dag_id"] == "d"
    assert merged["metadata"]["labels"][LABEL] == "spot"


# -- templates


TEMPLATE = """
spec:
  containers: [{name: base}]
  nodeSelector: {zone: a}
  tolerations: [{key: gpu, operator: Exists}]
"""


def test_the_task_s_own_template_is_carried_over(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE)
    placed = gke({}).place(Slot(executor_config={"pod_template_file": str(file)}), SPOT)
    assert [item["key"] for item in spec_of(placed)["tolerations"]] == ["cloud.google.com/gke-spot", "gpu"]
    assert "nodeSelector" not in spec_of(placed), "nothing of ours is there, so Airflow takes the template's"
    assert placed.executor_config[AUTHOR] is None


def test_the_deployment_s_template_is_carried_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE)
    monkeypatch.setenv("AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE", str(file))
    assert spec_of(KubernetesCompute(FREE).place(Slot(), SPOT))["nodeSelector"] == {"zone": "a", "pool": "spot"}


@pytest.mark.parametrize("text", [None, "a: b: c", "- a list", ""])
def test_a_template_that_cannot_be_read_is_no_reason_to_fail(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "template.yaml"
    if text is not None:
        file.write_text(text)
    placed = gke({}).place(Slot(executor_config={"pod_template_file": str(file)}), SPOT)
    assert len(spec_of(placed)["tolerations"]) == 1


def test_a_template_can_contradict(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("spec: {nodeSelector: {karpenter.sh/capacity-type: on-demand}}")
    with pytest.raises(ConfigurationError, match="or the pod template"):
        karpenter({}).check(Slot(executor_config={"pod_template_file": str(file)}))


# -- what is refused


def test_what_needs_no_refusal() -> None:
    for override in (own_pod(), pinned("zone", "a"), own_pod(node_selector={"zone": "a"}, tolerations=[GPU])):
        karpenter({}).check(Slot(executor_config={"pod_override": override}))
    karpenter({}).check(Slot())


def test_a_placed_slot_is_accepted() -> None:
    compute = karpenter({})
    compute.check(compute.place(Slot(), SPOT))


@pytest.mark.parametrize("value", ["spot", "on-demand"])
@pytest.mark.parametrize("how", ["selector", "affinity"])
def test_a_pod_that_can_be_on_one_capacity_only_is_refused(value: str, how: str) -> None:
    key = "karpenter.sh/capacity-type"
    pod = own_pod(node_selector={key: value}) if how == "selector" else pinned(key, value)
    slot = Slot(executor_config={"pod_override": pod})
    other = "on-demand" if value == "spot" else "spot"
    with pytest.raises(ConfigurationError, match=rf"No node can run this task's {other} attempts") as raised:
        karpenter({}).check(slot)
    assert f"the pod asks for {key} In ['{value}'], the compute for {key}" in str(raised.value)
    assert "say interruptible=False" in str(raised.value)


def test_such_a_pod_stays_as_its_author_wrote_it() -> None:
    """Of a task that is not interruptible: it is not checked, and must still find a node."""
    slot = Slot(executor_config={"pod_override": pinned("karpenter.sh/capacity-type", "spot")})
    assert karpenter({}).place(slot, ON_DEMAND) == slot
    assert karpenter({}).place(karpenter({}).place(slot, SPOT), ON_DEMAND) == slot


@pytest.mark.parametrize("override", [{"spec": {}}, "a pod", k8s.V1PodSpec(containers=[])])
def test_an_override_of_the_wrong_type_is_refused(override: object) -> None:
    slot = Slot(executor_config={"pod_override": override})
    with pytest.raises(ConfigurationError, match=r"must hold its pod as a kubernetes\.client\.models\.V1Pod") as raised:
        gke({}).check(slot)
    assert f"got {type(override).__name__}," in str(raised.value)
    assert gke({}).place(slot, SPOT) == slot


def test_the_old_mapping_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="got the old KubernetesExecutor mapping"):
        gke({}).check(Slot(executor_config={"KubernetesExecutor": {"image": "mine"}}))


def test_a_preset_that_does_not_exist_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"preset 'gkee', which does not exist\. There are: karpenter, eks, gke"
    ):
        KubernetesCompute({"preset": "gkee"})
    with pytest.raises(ConfigurationError, match="which does not exist"):
        KubernetesCompute({"preset": ["gke"]})


@pytest.mark.parametrize("options", [{}, {"spot": FREE["spot"]}, {**FREE, "on_demand": {"labels": {"a": "b"}}}])
def test_a_capacity_that_selects_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="so such an attempt could run on any node"):
        KubernetesCompute(options)


@pytest.mark.parametrize(
    "option",
    [
        None,
        "pool",
        {"node_selector": {"pool": 1}},
        {"node_selector": ["pool"]},
        {"labels": "cheap"},
        {"tolerations": {"key": "spot"}},
        {"tolerations": ["spot"]},
        {"tolerations": [{"value": "true"}]},
        {"tolerations": [{"key": "spot", "operator": "In"}]},
        {"tolerations": [{"key": "spot", "effect": "NoSchedul"}]},
        {"tolerations": [{"key": "spot", "operator": "Exists", "seconds": 3}]},
        {"match_expressions": [{"key": "pool"}]},
        {"match_expressions": [{"operator": "Exists"}]},
        {"match_expressions": [{"key": "pool", "operator": "Equals", "values": ["spot"]}]},
        {"match_expressions": [{"key": "pool", "operator": "In"}]},
        {"match_expressions": [{"key": "pool", "operator": "In", "values": "spot"}]},
        {"match_expressions": [{"key": "pool", "operator": "Exists", "values": ["spot"]}]},
        {"match_expressions": [{"key": "size", "operator": "Gt", "values": ["1", "2"]}]},
        {"nodeSelector": {"pool": "spot"}},
    ],
)
def test_an_option_of_the_wrong_shape_is_refused(option: object) -> None:
    with pytest.raises(ConfigurationError, match="compute_options has 'spot'") as raised:
        KubernetesCompute({**FREE, "spot": option})
    assert repr(option) in str(raised.value)


def test_the_example_in_the_errors_is_right() -> None:
    from airflow_interruptible.compute.kubernetes import _EXAMPLE

    KubernetesCompute(json.loads(_EXAMPLE))


def test_a_missing_provider_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.cncf.kubernetes.pod_generator", None)
    with pytest.raises(ConfigurationError, match=r"Install airflow-interruptible\[kubernetes\]"):
        gke({}).place(Slot(), SPOT)


# -- where it is stored


@pytest.mark.parametrize("override", [None, own_pod(tolerations=[GPU]), pinned("zone", "a")])
def test_the_column_of_the_database_keeps_it(override: Any) -> None:
    """``ExecutorConfigType`` pickles the mapping, and the pod in it as JSON."""
    from airflow.utils.sqlalchemy import ExecutorConfigType
    from sqlalchemy.dialects import sqlite

    config = {} if override is None else {"pod_override": override}
    placed = gke({}).place(Slot(executor_config=config), SPOT)
    column, dialect = ExecutorConfigType(), sqlite.dialect()
    stored = column.bind_processor(dialect)(placed.executor_config)  # type: ignore[no-untyped-call]
    read = column.result_processor(dialect, None)(stored)  # type: ignore[no-untyped-call]
    assert read == placed.executor_config
    for capacity in CapacityType:
        assert gke({}).place(Slot(executor_config=read), capacity) == gke({}).place(placed, capacity)


@pytest.mark.parametrize("mapped", [False, True])
def test_the_serialised_dag_keeps_it(mapped: bool) -> None:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    placed = gke({}).place(Slot(executor_config={"pod_override": own_pod(tolerations=[GPU])}), SPOT)
    with DAG("d", schedule=None) as dag:
        if mapped:
            BashOperator.partial(task_id="t", executor_config=dict(placed.executor_config)).expand(
                bash_command=["true"]
            )
        else:
            BashOperator(task_id="t", bash_command="true", executor_config=dict(placed.executor_config))
    read = (
        DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag)))).get_task("t").executor_config
    )
    assert read == placed.executor_config

# SPDX-License-Identifier: Apache-2.0
"""What cannot be meant about pods is the Dag's import error, with what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("airflow.providers.cncf.kubernetes")

HEAD = """
from airflow.sdk import dag, task
from kubernetes.client import models as k8s

def pinned(**where):
    return {"pod_override": k8s.V1Pod(spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base")], **where))}

def requiring(operator, *values):
    rule = k8s.V1NodeSelectorRequirement(key="cloud.google.com/gke-spot", operator=operator, values=list(values))
    terms = [k8s.V1NodeSelectorTerm(match_expressions=[rule])]
    required = k8s.V1NodeSelector(node_selector_terms=terms)
    node = k8s.V1NodeAffinity(required_during_scheduling_ignored_during_execution=required)
    return pinned(affinity=k8s.V1Affinity(node_affinity=node))

@dag(schedule=None)
def refused():
    @task.interruptible(interruptible=True, retries=1, {arguments})
    def work(x=None): ...
    {call}
refused()
"""


def import_error_of(folder: Path, arguments: str, call: str = "work()") -> str:
    from airflow.dag_processing.dagbag import DagBag

    file = folder / "dag.py"
    file.write_text(HEAD.replace("{arguments}", arguments).replace("{call}", call))
    bag = DagBag(dag_folder=file, collect_dags=False)
    bag.process_file(str(file))
    return "\n".join(bag.import_errors.values())


@pytest.mark.parametrize(
    ("arguments", "complaint", "instead"),
    [
        ("compute='gkee'", "There is no compute called 'gkee'", "Known names: "),
        (
            "compute={'name': 'kubernetes', 'preset': 'gkee'}",
            "names the preset 'gkee', which does not exist",
            "There are: karpenter, eks, gke",
        ),
        ("compute={'name': 'gke', 'spot': {'tolerations': ['spot']}}", "compute_options has 'spot'", "Write {"),
        (
            "executor_config=pinned(node_selector={'cloud.google.com/gke-spot': 'false'})",
            "No node can run this task's spot attempts: the pod asks for cloud.google.com/gke-spot In ['false']",
            "say interruptible=False",
        ),
        (
            "executor_config=requiring('DoesNotExist')",
            "No node can run this task's spot attempts: the pod asks for cloud.google.com/gke-spot DoesNotExist",
            "Drop it from the pod_override",
        ),
        (
            "executor_config=requiring('In', 'true')",
            "No node can run this task's on-demand attempts",
            "say interruptible=False",
        ),
        (
            "executor_config={'pod_override': {'spec': {'nodeSelector': {'pool': 'mine'}}}}",
            "must hold its pod as a kubernetes.client.models.V1Pod under 'pod_override', got dict",
            "Write executor_config={'pod_override': V1Pod(...)}",
        ),
        ("executor_config={'pod_override': k8s.V1PodSpec(containers=[])}", "got V1PodSpec", "V1Pod(...)"),
        ("executor_config={'KubernetesExecutor': {'image': 'mine'}}", "the old KubernetesExecutor mapping", "V1Pod"),
    ],
)
def test_it_is_refused_when_the_dag_is_parsed(
    arguments: str, complaint: str, instead: str, configure: Callable[..., None], tmp_path: Path
) -> None:
    configure(compute="gke")
    error = import_error_of(tmp_path, arguments)
    assert complaint in error
    assert instead in error


def test_a_call_that_overrides_the_pod_is_refused_as_well(configure: Callable[..., None], tmp_path: Path) -> None:
    configure(compute="gke")
    error = import_error_of(tmp_path, "", "work.override(executor_config={'pod_override': 'a pod'})()")
    assert "under 'pod_override', got str" in error


def test_a_mapped_task_is_refused_as_well(configure: Callable[..., None], tmp_path: Path) -> None:
    configure(compute="gke")
    error = import_error_of(tmp_path, "", "work.override(executor_config=requiring('DoesNotExist')).expand(x=[1])")
    assert "No node can run this task's spot attempts" in error


def test_what_the_author_may_ask_for_is_not_refused(configure: Callable[..., None], tmp_path: Path) -> None:
    configure(compute="gke")
    assert import_error_of(tmp_path, "executor_config=pinned(node_selector={'zone': 'a'})") == ""


def test_on_demand_only_is_fine_for_a_task_that_says_so(configure: Callable[..., None], tmp_path: Path) -> None:
    configure(compute="gke")
    call = "work.override(interruptible=False, executor_config=requiring('DoesNotExist'))()"
    assert import_error_of(tmp_path, "", call) == ""

# SPDX-License-Identifier: Apache-2.0
"""Create, read, list, patch and delete, as https://kubernetes.io/docs/reference/using-api/api-concepts/ has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client
from kubernetes.client.rest import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes_api_tests.pods import SPACE, shell_pod
from kubernetes_asyncio import client as async_client
from kubernetes_asyncio import config as async_config

if TYPE_CHECKING:
    from kubernetes_api import KubernetesCluster
    from kubernetes_api_tests.pods import RunPod

pytestmark = pytest.mark.usefixtures("cluster")


def refusal(error: pytest.ExceptionInfo[ApiException]) -> dict[str, Any]:
    body = json.loads(error.value.body)
    assert (body["kind"], body["status"], body["code"]) == ("Status", "Failure", error.value.status)
    return dict(body)


def names(pods: client.V1PodList) -> list[str]:
    return [pod.metadata.name for pod in pods.items]


def test_a_new_pod_is_pending_with_defaults(run_pod: RunPod) -> None:
    pod = run_pod("a")
    assert pod.status.phase == "Pending"
    assert pod.metadata.uid
    assert int(pod.metadata.resource_version) > 0
    assert pod.spec.scheduler_name == "default-scheduler"
    tolerated = {(each.key, each.effect, each.toleration_seconds) for each in pod.spec.tolerations}
    assert tolerated == {(f"node.kubernetes.io/{what}", "NoExecute", 300) for what in ("not-ready", "unreachable")}


def test_generate_name(v1: client.CoreV1Api) -> None:
    pod = shell_pod("unused")
    pod["metadata"] = {"generateName": "job-"}
    made = {v1.create_namespaced_pod(SPACE, pod).metadata.name for _ in range(2)}
    assert len(made) == 2
    assert all(name.startswith("job-") for name in made)


def test_a_name_is_taken_once(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    run_pod("a")
    with pytest.raises(ApiException) as error:
        run_pod("a")
    assert refusal(error)["reason"] == "AlreadyExists"
    assert v1.create_namespaced_pod("other", shell_pod("a")).metadata.namespace == "other"


def test_what_is_not_there_is_not_found(v1: client.CoreV1Api) -> None:
    with pytest.raises(ApiException) as error:
        v1.read_namespaced_pod("nobody", SPACE)
    assert refusal(error)["message"] == 'pods "nobody" not found'
    with pytest.raises(ApiException) as error:
        v1.create_namespaced_pod("nowhere", shell_pod("a"))
    assert refusal(error)["message"] == 'namespaces "nowhere" not found'
    with pytest.raises(ApiException) as error:
        client.AppsV1Api(v1.api_client).list_namespaced_deployment(SPACE)
    assert error.value.status == 404


def affinity(*expressions: dict[str, Any]) -> dict[str, Any]:
    terms = [{"matchExpressions": list(expressions)}] if expressions else []
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"containers": []}, "spec.containers"),
        ({"restartPolicy": "Always"}, "spec.restartPolicy"),
        ({"tolerations": [{"operator": "Equal", "value": "x"}]}, "spec.tolerations[0].operator"),
        ({"tolerations": [{"key": "a", "operator": "Exists", "value": "x"}]}, "spec.tolerations[0].operator"),
        ({"tolerations": [{"key": "a", "operator": "Is"}]}, "spec.tolerations[0].operator"),
        ({"tolerations": [{"key": "a", "effect": "NoSchedul"}]}, "spec.tolerations[0].effect"),
        ({"tolerations": [{"key": "a", "tolerationSeconds": 3}]}, "spec.tolerations[0].effect"),
        (affinity(), "nodeSelectorTerms"),
        (affinity({"key": "a", "operator": "In"}), "values"),
        (affinity({"key": "a", "operator": "Exists", "values": ["x"]}), "values"),
        (affinity({"key": "a", "operator": "Gt", "values": ["1", "2"]}), "values"),
        (affinity({"key": "a", "operator": "Like", "values": ["x"]}), "operator"),
    ],
)
def test_a_pod_that_breaks_a_rule_is_refused(run_pod: RunPod, spec: dict[str, Any], field: str) -> None:
    with pytest.raises(ApiException) as error:
        run_pod("a", **spec)
    status = refusal(error)
    assert status["code"] == 422
    assert status["reason"] == "Invalid"
    assert field in status["details"]["causes"][0]["field"]


@pytest.mark.parametrize("labels", [{"a": "x" * 64}, {"a": "-x"}, {"a": "x y"}, {"a/b/c": "x"}, {"": "x"}])
def test_labels_have_a_syntax(v1: client.CoreV1Api, run_pod: RunPod, labels: dict[str, str]) -> None:
    pod = shell_pod("a")
    pod["metadata"]["labels"] = labels
    with pytest.raises(ApiException) as error:
        v1.create_namespaced_pod(SPACE, pod)
    assert refusal(error)["details"]["causes"][0]["field"] == "metadata.labels"
    run_pod("b")
    with pytest.raises(ApiException) as error:
        v1.patch_namespaced_pod("b", SPACE, {"metadata": {"labels": labels}})
    assert error.value.status == 422


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("", "abc"),
        ("tier=spot", "a"),
        ("tier==spot", "a"),
        ("tier!=spot", "bc"),
        ("tier in (spot, on-demand)", "ab"),
        ("tier notin (spot)", "bc"),
        ("tier", "ab"),
        ("!tier", "c"),
        ("tier,app!=a", "b"),
        ("example.com/x in (1),tier", "a"),
    ],
)
def test_label_selectors(v1: client.CoreV1Api, selector: str, selected: str) -> None:
    for name, labels in (("a", {"tier": "spot", "example.com/x": "1"}), ("b", {"tier": "on-demand"}), ("c", {})):
        pod = shell_pod(name)
        pod["metadata"]["labels"].update(labels)
        v1.create_namespaced_pod(SPACE, pod)
    assert names(v1.list_namespaced_pod(SPACE, label_selector=selector)) == list(selected)


def test_a_selector_that_makes_no_sense_is_refused(v1: client.CoreV1Api) -> None:
    for wrong in ({"label_selector": "a in b"}, {"field_selector": "spec.containers=1"}, {"field_selector": "x"}):
        with pytest.raises(ApiException) as error:
            v1.list_namespaced_pod(SPACE, **wrong)
        assert refusal(error)["reason"] == "BadRequest"


def test_field_selectors(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    run_pod("a")
    run_pod("b")
    assert names(v1.list_namespaced_pod(SPACE, field_selector="metadata.name=a,status.phase=Pending")) == ["a"]
    assert names(v1.list_pod_for_all_namespaces(field_selector="metadata.name!=a")) == ["b"]
    assert names(v1.list_namespaced_pod(SPACE, field_selector="status.phase==Running")) == []


def test_metadata_only_list_as_the_executor_asks_for_it(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    run_pod("a")
    dynamic = DynamicClient(v1.api_client)
    found = dynamic.get(
        resource=dynamic.resources.get(api_version="v1", kind="Pod"),
        namespace=SPACE,
        label_selector="app=a",
        header_params={"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"},
    )
    assert found.kind == "PartialObjectMetadataList"
    assert [item.metadata.name for item in found.items] == ["a"]
    assert not found.items[0].spec


def test_version_and_health(v1: client.CoreV1Api, cluster: KubernetesCluster) -> None:
    assert client.VersionApi(v1.api_client).get_code().major == "1"
    assert {each.name for each in v1.get_api_resources().resources} >= {"pods", "pods/log", "pods/eviction", "nodes"}


def patched(v1: client.CoreV1Api, flavour: str, body: Any, name: str = "a") -> client.V1Pod:
    return v1.patch_namespaced_pod(name, SPACE, body, _content_type=f"application/{flavour}")


def test_merge_patch_removes_by_null(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    run_pod("a")
    pod = patched(v1, "merge-patch+json", {"metadata": {"labels": {"app": None, "done": "True"}}})
    assert pod.metadata.labels == {"done": "True"}


def test_strategic_merge_patch_merges_containers_by_name(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    before = run_pod("a")
    patch = {"spec": {"containers": [{"name": "base", "image": "busybox:2"}]}}
    pod = patched(v1, "strategic-merge-patch+json", patch)
    assert pod.spec.containers[0].image == "busybox:2"
    assert pod.spec.containers[0].command == before.spec.containers[0].command
    with pytest.raises(ApiException) as error:
        patched(v1, "merge-patch+json", patch)  # replaces the list, and so drops the command
    assert error.value.status == 422


def test_json_patch_is_all_or_nothing(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    run_pod("a")
    add = {"op": "add", "path": "/metadata/labels/example.com~1x", "value": "1"}
    assert patched(v1, "json-patch+json", [add]).metadata.labels["example.com/x"] == "1"
    with pytest.raises(ApiException) as error:
        patched(v1, "json-patch+json", [{**add, "value": "2"}, {"op": "test", "path": "/metadata/name", "value": "b"}])
    assert error.value.status == 422
    assert v1.read_namespaced_pod("a", SPACE).metadata.labels["example.com/x"] == "1"


def test_server_side_apply_is_refused(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    run_pod("a")
    with pytest.raises(ApiException) as error:
        patched(v1, "apply-patch+yaml", {})
    assert error.value.status == 415


def test_the_spec_of_a_pod_is_fixed_but_for_tolerations(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    more = [v1.api_client.sanitize_for_serialization(each) for each in run_pod("a").spec.tolerations]
    more.append({"key": "x", "operator": "Exists"})
    assert len(patched(v1, "merge-patch+json", {"spec": {"tolerations": more}}).spec.tolerations) == 3
    forbidden: dict[str, Any]
    for forbidden in ({"nodeSelector": {"a": "b"}}, {"tolerations": []}):
        with pytest.raises(ApiException) as error:
            patched(v1, "merge-patch+json", {"spec": forbidden})
        assert "pod updates may not change fields" in refusal(error)["message"]


def test_a_stale_version_conflicts(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    stale = run_pod("a")
    v1.patch_namespaced_pod("a", SPACE, {"metadata": {"labels": {"x": "1"}}})
    current = v1.read_namespaced_pod("a", SPACE)
    stale.metadata.labels = {"x": "2"}
    with pytest.raises(ApiException) as error:
        v1.replace_namespaced_pod("a", SPACE, stale)
    assert refusal(error)["reason"] == "Conflict"
    current.metadata.labels = {"x": "3"}
    assert v1.replace_namespaced_pod("a", SPACE, current).metadata.labels == {"x": "3"}


def test_status_is_written_apart(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    run_pod("a")
    both = {"metadata": {"labels": {"x": "1"}}, "status": {"message": "hello"}}
    pod = v1.patch_namespaced_pod_status("a", SPACE, both)
    assert (pod.status.message, pod.metadata.labels.get("x")) == ("hello", None)
    pod = v1.patch_namespaced_pod("a", SPACE, {**both, "status": {"message": "ignored"}})
    assert (pod.status.message, pod.metadata.labels["x"]) == ("hello", "1")


def test_a_write_that_changes_nothing_makes_no_version(v1: client.CoreV1Api, cluster: KubernetesCluster) -> None:
    cluster.add_node("n")
    before = v1.read_node("n").metadata.resource_version
    assert v1.patch_node("n", {"spec": {"providerID": "test://n"}}).metadata.resource_version == before
    assert v1.patch_node("n", {"spec": {"unschedulable": True}}).metadata.resource_version != before


def test_delete_checks_the_uid(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    pod = run_pod("a")
    with pytest.raises(ApiException) as error:
        v1.delete_namespaced_pod("a", SPACE, body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="x")))
    assert error.value.status == 409
    uid = client.V1Preconditions(uid=pod.metadata.uid)
    assert v1.delete_namespaced_pod("a", SPACE, body=client.V1DeleteOptions(preconditions=uid)).metadata.name == "a"
    assert names(v1.list_namespaced_pod(SPACE)) == []


def test_delete_checks_the_version(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    """So that what was looked at is what is deleted."""
    seen = run_pod("a").metadata.resource_version
    v1.patch_namespaced_pod("a", SPACE, {"metadata": {"labels": {"changed": "yes"}}})
    wanted = client.V1DeleteOptions(preconditions=client.V1Preconditions(resource_version=seen))
    with pytest.raises(ApiException) as error:
        v1.delete_namespaced_pod("a", SPACE, body=wanted)
    assert error.value.status == 409


def test_delete_a_collection(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    for name in "abc":
        run_pod(name)
    v1.delete_collection_namespaced_pod(SPACE, label_selector="app!=b")
    assert names(v1.list_namespaced_pod(SPACE)) == ["b"]


def test_a_dry_run_changes_nothing(v1: client.CoreV1Api) -> None:
    assert v1.create_namespaced_pod(SPACE, shell_pod("a"), dry_run="All").spec.dns_policy == "ClusterFirst"
    assert names(v1.list_namespaced_pod(SPACE)) == []


async def _async_round_trip(kubeconfig: str) -> list[str]:
    await async_config.load_kube_config(kubeconfig)
    async with async_client.ApiClient() as api:
        core = async_client.CoreV1Api(api)
        await core.create_namespaced_pod(SPACE, shell_pod("a"))
        found = await core.list_namespaced_pod(SPACE, label_selector="app=a")
        await core.delete_namespaced_pod("a", SPACE)
        return [pod.status.phase for pod in found.items]


def test_the_async_client_works_too(cluster: KubernetesCluster) -> None:
    import asyncio

    assert asyncio.run(_async_round_trip(str(cluster.kubeconfig))) == ["Pending"]

# SPDX-License-Identifier: Apache-2.0
"""The checks that ask somebody: Celery's workers, ECS, Batch, EC2 by AWS's own model, and our Kubernetes API."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.compute.kubernetes import karpenter
from airflow_interruptible.compute.pair import Pair
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.doctor import batch_queues, celery_queues, ecs_providers, kubernetes, machines

if TYPE_CHECKING:
    from collections.abc import Callable

PAIR = Pair("cheap", "safe")
REFUSED = {"Error": {"Code": "AccessDeniedException"}}
SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


# -- Celery


@pytest.mark.parametrize(
    ("workers", "found"),
    [
        ({"w1": {"cheap"}, "w2": {"safe", "other"}}, []),
        ({"w1": {"cheap"}}, [("celery-queues/on-demand-unserved", "error")]),
        ({"w1": {"safe"}}, [("celery-queues/spot-unserved", "warning")]),
        ({}, [("celery-queues/no-worker", "warning")]),
    ],
)
def test_queues_of_workers(workers: dict[str, set[str]], found: Any, ids: Any) -> None:
    assert ids(celery_queues.unserved(PAIR, workers)) == found


def test_workers_are_asked_where_there_are_some(deploy: Any, configure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(celery_queues.celery, "queues", lambda: asked.append(1) or {})
    assert list(celery_queues.check(deploy({}, ("CeleryExecutor",)))) == [], "compute is none"
    configure(compute="queue", compute_options='{"spot": "cheap", "on_demand": "safe"}')
    assert list(celery_queues.check(deploy({}, ("EdgeExecutor",)))) == []
    assert len(list(celery_queues.check(deploy({}, ("CeleryExecutor",))))) == len(asked) == 1


# -- AWS


def cluster(*providers: str) -> dict[str, Any]:
    return {"clusters": [{"clusterName": "c", "capacityProviders": list(providers)}]}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("providers", "found"),
    [(("spot-asg", "asg"), []), (("spot-asg", "FARGATE"), [("ecs/provider", "error")])],
)
def test_providers(
    providers: tuple[str, ...], found: Any, *, answering: Any, deploy: Any, ids: Any, configure: Any
) -> None:
    configure(launched='{"ecs": {"spot": "spot-asg", "on_demand": "asg"}}')
    calls = (
        ("list_clusters", {"maxResults": 100}, {"clusterArns": ["arn:c"]}),
        ("describe_clusters", {"clusters": ["arn:c"]}, cluster(*providers)),
    )
    answering("ecs", *calls)
    assert ids(ecs_providers.check(deploy())) == found


def test_a_refusal_names_the_permission(answering: Any, deploy: Any, configure: Any) -> None:
    configure(launched='{"ecs": {"spot": "a", "on_demand": "b"}}')
    answering("ecs", ("list_clusters", {"maxResults": 100}, REFUSED))
    (found,) = ecs_providers.check(deploy())
    assert (found.id, found.setting) == ("permissions/missing", "permission ecs:ListClusters")


def test_nobody_is_asked_of_what_nobody_names(deploy: Any) -> None:
    assert [*ecs_providers.check(deploy()), *batch_queues.check(deploy())] == []


def queue(name: str, environment: str, state: str = "ENABLED", status: str = "VALID") -> dict[str, Any]:
    return {
        "jobQueueName": name,
        "jobQueueArn": f"arn:{name}",
        "state": state,
        "status": status,
        "priority": 1,
        "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": environment}],
    }


def environment(name: str, kind: str) -> dict[str, Any]:
    resources = {"type": kind, "maxvCpus": 1, "subnets": []}
    return {"computeEnvironmentName": name, "computeEnvironmentArn": f"arn:{name}", "computeResources": resources}


@pytest.mark.parametrize(
    ("queues", "found"),
    [
        ([queue("cheap", "arn:spot"), queue("safe", "arn:plain")], []),
        ([queue("cheap", "arn:plain"), queue("safe", "arn:plain")], ["environments of type EC2"]),
        ([queue("cheap", "arn:spot"), queue("safe", "arn:spot")], ["environments of type FARGATE_SPOT"]),
        ([queue("cheap", "arn:spot")], ["not there"]),
        ([queue("cheap", "arn:spot", state="DISABLED"), queue("safe", "arn:plain")], ["DISABLED, VALID"]),
    ],
)
def test_queues_of_batch(queues: list[Any], found: list[str], answering: Any, deploy: Any, *, configure: Any) -> None:
    configure(launched='{"batch": {"pairs": [{"spot": "cheap", "on_demand": "safe"}]}}')
    arns = sorted({one["computeEnvironmentOrder"][0]["computeEnvironment"] for one in queues})
    there = [environment("spot", "FARGATE_SPOT"), environment("plain", "EC2")]
    calls = (
        ("describe_job_queues", {"jobQueues": ["cheap", "safe"]}, {"jobQueues": queues}),
        ("describe_compute_environments", {"computeEnvironments": arns}, {"computeEnvironments": there}),
    )
    answering("batch", *calls)
    findings = list(batch_queues.check(deploy()))
    assert [finding.value for finding in findings] == found
    assert {finding.severity.value for finding in findings} <= {"error"}


@pytest.mark.parametrize(
    ("place", "service", "call", "answer", "missing"),
    [
        ("instance_id", "ec2", ("describe_instances", {"DryRun": True}), "DryRunOperation", None),
        ("instance_id", "ec2", ("describe_instances", {"DryRun": True}), "UnauthorizedOperation",
         "ec2:DescribeInstances"),
        ("batch_job", "batch", ("describe_jobs", {"jobs": ["airflow-interruptible-doctor"]}), "AccessDeniedException",
         "batch:DescribeJobs"),
        ("ecs_task", "ecs", ("describe_tasks", {"cluster": "default", "tasks": ["0" * 32]}), "AccessDeniedException",
         "ecs:DescribeTasks"),
        ("ecs_task", "ecs", ("describe_tasks", {"cluster": "default", "tasks": ["0" * 32]}), "ClusterNotFoundException",
         None),
    ],
)  # fmt: skip
def test_what_may_be_described(
    place: str, service: str, call: tuple[str, Any], answer: str, missing: str | None, *, answering: Any
) -> None:
    answering(service, (*call, {"Error": {"Code": answer}}))
    found = [finding.setting for finding in machines._SERVICES[place]()]
    assert found == ([] if missing is None else [f"permission {missing}"])


def test_what_else_goes_wrong_is_no_refusal(answering: Any) -> None:
    answering("ec2", ("describe_instances", {"DryRun": True}, {"Error": {"Code": "RequestLimitExceeded"}}))
    with pytest.raises(Exception, match="RequestLimitExceeded"):
        list(machines._SERVICES["instance_id"]())


# -- Kubernetes


class Refused(Exception):
    status = 403


def api(labelled: int = 1, *, forbidden: tuple[str, ...] = ()) -> Any:
    def calls(name: str) -> Callable[..., Any]:
        def call(*_: Any, **__: Any) -> Any:
            if name in forbidden:
                raise Refused
            return SimpleNamespace(items=[object()] * labelled)

        return call

    names = ("read_namespaced_pod", "list_namespaced_pod", "list_namespaced_event", "read_node", "list_node")
    return SimpleNamespace(**{name: calls(name) for name in names})


def test_permissions_by_the_calls_themselves() -> None:
    assert list(kubernetes.permissions(api(), "airflow")) == []
    found = list(kubernetes.permissions(api(forbidden=("read_node", "list_namespaced_event")), "airflow"))
    assert [each.setting for each in found] == ["permission list events in airflow", "permission get nodes"]


@pytest.mark.parametrize(
    ("cluster_api", "found"),
    [
        (api(), []),
        (api(0), [("kubernetes/no-node", "warning")]),
        (api(forbidden=("list_node",)), [("kubernetes/nodes-unseen", "info")]),
    ],
)
def test_nodes(cluster_api: Any, found: Any, ids: Any) -> None:
    assert ids(kubernetes.nodes(cluster_api, SPOT, "a in (b)")) == found


def test_nodes_are_asked_for_by_what_the_compute_asks_for() -> None:
    assert karpenter({}).node_selector_of(SPOT) == "karpenter.sh/capacity-type in (spot)"
    assert karpenter({}).node_selector_of(ON_DEMAND) == "karpenter.sh/capacity-type notin (spot)"
    rules = [{"key": "gpu", "operator": "DoesNotExist"}, {"key": "n", "operator": "Gt", "values": ["1"]}]
    more = {"spot": {"node_selector": {"pool": "x"}, "match_expressions": rules}}
    assert karpenter(more).node_selector_of(SPOT) == "pool in (x),karpenter.sh/capacity-type in (spot),!gpu"

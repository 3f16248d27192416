# SPDX-License-Identifier: Apache-2.0
"""Pods as processes: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ and its neighbours."""

from __future__ import annotations

import base64
import math
import os
import re
import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.client.rest import ApiException
from kubernetes_api_tests.pods import SPACE, InPhase, conditions, log_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes import client
    from kubernetes_api import KubernetesCluster
    from kubernetes_api_tests.pods import RunPod, Until

pytestmark = pytest.mark.usefixtures("node")

STUBBORN = "trap 'echo heard' TERM; echo ready; while :; do sleep 0.05; done"


def container(name: str, script: str = "true", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **more}


def ended(pod: client.V1Pod, index: int = 0) -> client.V1ContainerStateTerminated:
    return pod.status.container_statuses[index].state.terminated


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_success(run_pod: RunPod, in_phase: InPhase) -> None:
    run_pod("a")
    pod = in_phase("a", "Succeeded")
    assert (ended(pod).exit_code, ended(pod).reason) == (0, "Completed")
    assert conditions(pod)["Ready"][:2] == ("False", "PodCompleted")
    assert conditions(pod)["PodScheduled"][0] == "True"
    assert pod.spec.node_name == "node-1"


def test_failure(run_pod: RunPod, in_phase: InPhase) -> None:
    run_pod("a", "exit 3")
    pod = in_phase("a", "Failed")
    assert (ended(pod).exit_code, ended(pod).reason) == (3, "Error")
    assert (pod.status.reason, pod.status.message) == (None, None)
    assert "DisruptionTarget" not in conditions(pod)


def test_environment(v1: client.CoreV1Api, run_pod: RunPod, in_phase: InPhase) -> None:
    v1.create_namespaced_secret(
        SPACE, {"metadata": {"name": "s"}, "data": {"key": base64.b64encode(b"hidden").decode()}}
    )
    script = 'echo "$PLAIN|$BOTH|$LITERAL|$POD|$NODE|$APP|$SECRET|$HOSTNAME|$0"'
    env = [
        {"name": "PLAIN", "value": "a"},
        {"name": "BOTH", "value": "$(PLAIN)b $(UNKNOWN)"},
        {"name": "LITERAL", "value": "$$(PLAIN)"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
        {"name": "ABSENT", "valueFrom": {"secretKeyRef": {"name": "none", "key": "key", "optional": True}}},
    ]
    run_pod("a", containers=[container("base", script, env=env, args=["$(PLAIN)!"])])
    in_phase("a", "Succeeded")
    seen = log_of(v1, "a").strip()
    v1.delete_namespaced_secret("s", SPACE)
    assert seen == "a|ab $(UNKNOWN)|$(PLAIN)|a|node-1|a|hidden|a|a!"


def waits_for(v1: client.CoreV1Api, name: str, reason: str) -> Callable[[], client.V1Pod | None]:
    def look() -> client.V1Pod | None:
        pod = v1.read_namespaced_pod(name, SPACE)
        waiting = [each.state.waiting for each in pod.status.container_statuses or []]
        return pod if any(each and each.reason == reason for each in waiting) else None

    return look


def test_a_missing_secret_keeps_the_container_waiting(v1: client.CoreV1Api, run_pod: RunPod, until: Until) -> None:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "key"}}}]
    run_pod("a", containers=[container("base", env=env)])
    pod = until(waits_for(v1, "a", "CreateContainerConfigError"))
    assert pod is not None
    assert pod.status.phase == "Pending"


def test_init_containers_run_one_after_the_other(v1: client.CoreV1Api, run_pod: RunPod, in_phase: InPhase) -> None:
    first, second = container("first", "sleep 0.2; date +%s%N"), container("second", "date +%s%N")
    run_pod("a", "date +%s%N", initContainers=[first, second])
    pod = in_phase("a", "Succeeded")
    times = [int(log_of(v1, "a", container=name)) for name in ("first", "second", "base")]
    assert times == sorted(times)
    assert [each.ready for each in pod.status.init_container_statuses] == [True, True]


def test_an_init_container_that_fails_fails_the_pod(run_pod: RunPod, in_phase: InPhase) -> None:
    run_pod("a", initContainers=[container("first", "exit 4"), container("second")])
    pod = in_phase("a", "Failed")
    assert pod.status.init_container_statuses[0].state.terminated.exit_code == 4
    assert pod.status.init_container_statuses[1].state.waiting.reason == "PodInitializing"
    assert pod.status.container_statuses[0].state.waiting.reason == "PodInitializing"
    assert conditions(pod)["Initialized"][:2] == ("False", "ContainersNotInitialized")


def test_a_pod_runs_as_long_as_one_container_does(
    v1: client.CoreV1Api, run_pod: RunPod, in_phase: InPhase, until: Until
) -> None:
    run_pod("a", containers=[container("base", "exit 1"), container("sidecar", "sleep 0.5")])
    pod = until(lambda: v1.read_namespaced_pod("a", SPACE), lambda it: it.status.container_statuses and ended(it))
    assert pod.status.phase == "Running"
    assert conditions(pod)["Ready"] == ("False", "ContainersNotReady", "containers with unready status: [base]")
    assert in_phase("a", "Failed").status.container_statuses[1].state.terminated.exit_code == 0


def test_a_command_that_does_not_exist(run_pod: RunPod, in_phase: InPhase) -> None:
    run_pod("a", containers=[{"name": "base", "image": "busybox", "command": ["no-such-command"]}])
    state = ended(in_phase("a", "Failed"))
    assert (state.exit_code, state.reason) == (128, "StartError")
    assert 'exec: "no-such-command": executable file not found in $PATH' in state.message


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_cannot_be_pulled(v1: client.CoreV1Api, run_pod: RunPod, until: Until, reason: str) -> None:
    run_pod("a", containers=[container("base") | {"image": "registry/bad:1"}])
    pod = until(waits_for(v1, "a", reason))
    assert pod is not None
    assert pod.status.phase == "Pending"
    v1.delete_namespaced_pod("a", SPACE)
    until(lambda: v1.list_namespaced_pod(SPACE).items, lambda pods: not pods)
    told = {event.message for event in v1.list_namespaced_event(SPACE, field_selector="reason=Failed").items}
    assert "Error: ErrImagePull" in told


def test_logs_can_be_cut(v1: client.CoreV1Api, run_pod: RunPod, in_phase: InPhase) -> None:
    run_pod("a", "echo one; echo two >&2; sleep 2.5; printf three")
    in_phase("a", "Succeeded")
    assert log_of(v1, "a") == "one\ntwo\nthree"
    assert log_of(v1, "a", tail_lines=2) == "two\nthree"
    stamped = log_of(v1, "a", timestamps=True).splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z \w+$", line) for line in stamped)
    last = datetime.fromisoformat(stamped[-1][:26]).replace(tzinfo=timezone.utc)
    seconds = math.ceil((datetime.now(timezone.utc) - last).total_seconds()) + 1
    assert log_of(v1, "a", since_seconds=seconds) == "three"


def test_logs_can_be_followed(v1: client.CoreV1Api, run_pod: RunPod, at_work: Callable[[str], None]) -> None:
    run_pod("a", "echo ready; for i in 1 2 3; do sleep 0.2; echo $i; done")
    at_work("a")
    stream = v1.read_namespaced_pod_log("a", SPACE, follow=True, _preload_content=False)
    began = time.monotonic()
    assert b"".join(stream.stream()).decode() == "ready\n1\n2\n3\n"
    assert time.monotonic() - began > 0.2


def test_logs_that_are_not_there(
    v1: client.CoreV1Api, cluster: KubernetesCluster, run_pod: RunPod, until: Until
) -> None:
    def refused(name: str, **options: Any) -> str:
        with pytest.raises(ApiException) as error:
            log_of(v1, name, **options)
        assert error.value.status == 400
        return str(error.value.body)

    run_pod("a", containers=[container("base") | {"image": "bad"}])
    until(waits_for(v1, "a", "ImagePullBackOff"))
    assert 'in pod \\"a\\" is waiting to start:' in refused("a")
    run_pod("b", containers=[container("one"), container("two")])
    assert "a container name must be specified for pod b, choose one of: [one two]" in refused("b")
    assert "container three is not valid for pod b" in refused("b", container="three")
    cluster.hold_scheduling()
    run_pod("c")
    assert log_of(v1, "c") == ""


def test_sigterm_comes_first(
    *,
    v1: client.CoreV1Api,
    run_pod: RunPod,
    at_work: Callable[[str], None],
    last_seen: Callable[..., Any],
    until: Until,
) -> None:
    created = run_pod("a", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done")
    at_work("a")
    marked = v1.delete_namespaced_pod("a", SPACE, grace_period_seconds=20)
    assert marked.metadata.deletion_grace_period_seconds == 20
    assert marked.metadata.deletion_timestamp
    until(lambda: v1.list_namespaced_pod(SPACE).items, lambda pods: not pods)
    pod = last_seen("a", created.metadata.resource_version)
    assert pod["status"]["phase"] == "Failed"
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 7
    assert {each["type"] for each in pod["status"]["conditions"]}.isdisjoint({"DisruptionTarget"})


def test_sigkill_comes_after_the_grace(
    *,
    v1: client.CoreV1Api,
    run_pod: RunPod,
    at_work: Callable[[str], None],
    last_seen: Callable[..., Any],
    until: Until,
) -> None:
    created = run_pod("a", STUBBORN)
    at_work("a")
    began = time.monotonic()
    v1.delete_namespaced_pod("a", SPACE)
    until(lambda: log_of(v1, "a"), lambda log: "heard" in log)
    until(lambda: v1.list_namespaced_pod(SPACE).items, lambda pods: not pods)
    assert time.monotonic() - began > 0.9
    state = last_seen("a", created.metadata.resource_version)["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (state["exitCode"], state["reason"]) == (137, "Error")


def test_a_second_deletion_shortens_the_grace(
    v1: client.CoreV1Api, run_pod: RunPod, at_work: Callable[[str], None], until: Until
) -> None:
    run_pod("a", STUBBORN)
    at_work("a")
    v1.delete_namespaced_pod("a", SPACE, grace_period_seconds=60)
    assert v1.delete_namespaced_pod("a", SPACE, grace_period_seconds=90).metadata.deletion_grace_period_seconds == 60
    assert v1.delete_namespaced_pod("a", SPACE, grace_period_seconds=1).metadata.deletion_grace_period_seconds == 1
    until(lambda: v1.list_namespaced_pod(SPACE).items, lambda pods: not pods)


def test_nobody_survives_the_container(
    v1: client.CoreV1Api, run_pod: RunPod, at_work: Callable[[str], None], until: Until
) -> None:
    run_pod("a", "setsid sleep 300 & echo $!; (sleep 300 & echo $!) ; echo ready; sleep 300")
    at_work("a")
    pids = [int(word) for word in log_of(v1, "a").split() if word.isdigit()]
    assert len(pids) == 2
    v1.delete_namespaced_pod("a", SPACE, grace_period_seconds=0)
    until(lambda: [pid for pid in pids if is_running(pid)], lambda alive: not alive)


def test_deletion_by_force_does_not_wait(v1: client.CoreV1Api, run_pod: RunPod, at_work: Callable[[str], None]) -> None:
    run_pod("a", STUBBORN)
    at_work("a")
    v1.delete_namespaced_pod("a", SPACE, grace_period_seconds=0)
    with pytest.raises(ApiException) as error:
        v1.read_namespaced_pod("a", SPACE)
    assert error.value.status == 404


def test_out_of_memory(
    cluster: KubernetesCluster, run_pod: RunPod, at_work: Callable[[str], None], in_phase: InPhase
) -> None:
    run_pod("a", STUBBORN)
    at_work("a")
    cluster.oom("a")
    pod = in_phase("a", "Failed")
    assert (ended(pod).exit_code, ended(pod).reason) == (137, "OOMKilled")
    assert "DisruptionTarget" not in conditions(pod)


def test_many_pods_at_once(v1: client.CoreV1Api, run_pod: RunPod, until: Until) -> None:
    threads = [threading.Thread(target=run_pod, args=(f"p{n}", f"exit {n % 2}")) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = until(
        lambda: [pod.status.phase for pod in v1.list_namespaced_pod(SPACE).items],
        lambda phases: len(phases) == 12 and set(phases) <= {"Succeeded", "Failed"},
    )
    assert sorted(done) == ["Failed"] * 6 + ["Succeeded"] * 6

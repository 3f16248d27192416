# SPDX-License-Identifier: Apache-2.0
"""What the status of a pod says at each moment of its life. Pure: each function changes the pod it is given.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/

Surprising: the kubelet reports a pod that it ends itself (shutdown, pressure) only once no container of it runs any
more; phase, reason, message and DisruptionTarget then come in one write (``mergePodStatus`` in
https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/status/status_manager.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubernetes_api.objects import Object, dig, now, seconds_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable

LOCATION_UNKNOWN = "The container could not be located when the pod was terminated"
NO_EXIT_CODE = 137
"""What the kubelet reports for a container it knows nothing about: ``TerminatePod`` in the status manager."""


def set_condition(status: Object, kind: str, value: str, reason: str = "", message: str = "") -> None:
    """Set one condition; its transition time changes only with its value."""
    conditions = status.setdefault("conditions", [])
    known = next((each for each in conditions if each["type"] == kind), None)
    condition: Object = {"type": kind, "status": value, "lastProbeTime": None}
    condition.update({key: text for key, text in (("reason", reason), ("message", message)) if text})
    same = known is not None and known["status"] == value
    condition["lastTransitionTime"] = known["lastTransitionTime"] if known and same else seconds_stamp(now())
    if known is None:
        conditions.append(condition)
    else:
        known.clear()
        known.update(condition)


def mark_disrupted(pod: Object, reason: str, message: str) -> None:
    """Say that the pod is ended by a disruption.

    https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
    """
    set_condition(pod["status"], "DisruptionTarget", "True", reason, message)


def mark_scheduled(pod: Object, node: str) -> None:
    """Bind the pod to a node."""
    pod["spec"]["nodeName"] = node
    set_condition(pod["status"], "PodScheduled", "True")


def mark_unschedulable(pod: Object, message: str) -> None:
    """Say that no node fits."""
    set_condition(pod["status"], "PodScheduled", "False", "Unschedulable", message)


def accept(pod: Object, host_ip: str) -> None:
    """The kubelet takes the pod: all its containers wait."""
    status = pod["status"]
    started = seconds_stamp(now())
    status.update(hostIP=host_ip, hostIPs=[{"ip": host_ip}], podIP=host_ip, podIPs=[{"ip": host_ip}], startTime=started)
    initial = pod["spec"].get("initContainers") or []
    reason = "PodInitializing" if initial else "ContainerCreating"
    if initial:
        status["initContainerStatuses"] = [_waiting(each, "PodInitializing") for each in initial]
    status["containerStatuses"] = [_waiting(each, reason) for each in pod["spec"]["containers"]]
    set_condition(status, "PodReadyToStartContainers", "True")
    settle(pod)


def running_state() -> Object:
    """The state of a container that runs from now on."""
    return {"running": {"startedAt": seconds_stamp(now())}}


def waiting_state(reason: str, message: str = "") -> Object:
    """The state of a container that does not run yet."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def terminated_state(exit_code: int, reason: str, *, started: str | None, message: str = "") -> Object:
    """The state of a container that has ended.

    :param started: None when it never ran, which the runtime reports as the epoch.
    """
    ended: Object = {"exitCode": exit_code, "reason": reason, "finishedAt": seconds_stamp(now())}
    ended["startedAt"] = started or "1970-01-01T00:00:00Z"
    if message:
        ended["message"] = message
    return {"terminated": ended}


def set_container(pod: Object, name: str, state: Object, container_id: str = "") -> None:
    """Report the state of one container, and what follows from it for the pod."""
    status = next(each for each in _all_containers(pod) if each["name"] == name)
    runs = "running" in state
    completed_init = dig(state, "terminated", "exitCode") == 0 and status not in pod["status"]["containerStatuses"]
    status.update(state=state, started=runs, ready=runs or completed_init)
    if container_id:
        status["containerID"] = container_id
        state.get("terminated", {})["containerID"] = container_id
    settle(pod)


def settle(pod: Object) -> None:
    """Derive the phase and the conditions from the states of the containers; restartPolicy is Never."""
    status = pod["status"]
    initial, main = status.get("initContainerStatuses") or [], status["containerStatuses"]
    unfinished = [each["name"] for each in initial if _exit_code(each) != 0]
    if unfinished:
        message = f"containers with incomplete status: [{' '.join(unfinished)}]"
        set_condition(status, "Initialized", "False", "ContainersNotInitialized", message)
    else:
        set_condition(status, "Initialized", "True")
    status["phase"] = _phase(initial, main)
    _set_ready(status, main)


def give_up(pod: Object) -> None:
    """End the pod for good: what never ran, or is not known to have ended, is reported as lost."""
    for container in _all_containers(pod):
        if "terminated" not in container["state"]:
            started = dig(container, "state", "running", "startedAt")
            lost = terminated_state(NO_EXIT_CODE, "ContainerStatusUnknown", started=started, message=LOCATION_UNKNOWN)
            container.update(state=lost, ready=False, started=False)
    settle(pod)
    if pod["status"]["phase"] not in ("Succeeded", "Failed"):
        fail(pod)


def fail(pod: Object, reason: str = "", message: str = "") -> None:
    """Set the phase to Failed, whatever the containers did."""
    status = pod["status"]
    status["phase"] = "Failed"
    status.update({key: text for key, text in (("reason", reason), ("message", message)) if text})
    _set_ready(status, status.get("containerStatuses") or [])


def _waiting(container: Object, reason: str) -> Object:
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "lastState": {},
        "state": waiting_state(reason),
    }


def _all_containers(pod: Object) -> list[Object]:
    status = pod["status"]
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _exit_code(container: Object) -> int | None:
    code: int | None = dig(container, "state", "terminated", "exitCode")
    return code


def _phase(initial: Iterable[Object], main: list[Object]) -> str:
    initial_codes, codes = [_exit_code(each) for each in initial], [_exit_code(each) for each in main]
    if any(initial_codes):
        return "Failed"
    if None in initial_codes:
        return "Pending"
    if None not in codes:
        return "Failed" if any(codes) else "Succeeded"
    return "Pending" if any("waiting" in each["state"] for each in main) else "Running"


def _set_ready(status: Object, main: list[Object]) -> None:
    unready = [each["name"] for each in main if not each["ready"]]
    done = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(status["phase"])
    for kind in ("ContainersReady", "Ready"):
        if done:
            set_condition(status, kind, "False", done)
        elif unready:
            message = f"containers with unready status: [{' '.join(unready)}]"
            set_condition(status, kind, "False", "ContainersNotReady", message)
        else:
            set_condition(status, kind, "True")

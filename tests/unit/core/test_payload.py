# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Charge
from airflow_interruptible.core.classification import classify
from airflow_interruptible.core.payload import read
from airflow_interruptible.rules import DEFAULT_RULES, DEFAULT_SURFACES

if TYPE_CHECKING:
    from airflow_interruptible.core.evidence import Evidence

SERVICES = sorted({name for surface in DEFAULT_SURFACES for name in surface.services})


def reading(service: object, surface: object, payload: object, context: object = None) -> Evidence:
    return read(service, surface, payload, context, surfaces=DEFAULT_SURFACES)


def test_envelopes_vanish_and_spellings_agree() -> None:
    for payload in (
        {"stopCode": "SpotInterruption"},
        {"stop_code": "SpotInterruption"},
        {"tasks": [{"stopCode": "SpotInterruption"}]},
        {"detail": {"stopCode": "SpotInterruption"}},
        '{"detail": {"stopCode": "SpotInterruption"}}',
        {"detail": '{"stopCode": "SpotInterruption"}'},
    ):
        assert reading("ecs", "event", payload).facts["stopcode"] == ("SpotInterruption",)


def test_what_does_not_wrap_keeps_its_name() -> None:
    facts = reading("ecs", "event", {"overrides": {"stopCode": "SpotInterruption"}}).facts

    assert "stopcode" not in facts
    assert facts["overrides.stopcode"] == ("SpotInterruption",)


def test_conditions_name_themselves() -> None:
    pod = {
        "status": {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]}
    }

    assert reading("k8s", "pod status", pod).facts["conditions.disruptiontarget.true.reason"] == (
        "EvictionByEvictionAPI",
    )


@pytest.mark.parametrize("member", ["State.PREEMPTED", "<State.PREEMPTED: 5>"])
def test_a_member_of_an_enumeration_is_its_name(member: str) -> None:
    assert reading("gce", "event", {"state": member}).facts["state"] == ("PREEMPTED",)
    assert reading("azurebatch", "statusReason", member).facts["batchnodestate"] == ("PREEMPTED",)


@pytest.mark.parametrize(
    ("logger", "counts"),
    [
        ("airflow.providers.cncf.kubernetes.executors.kubernetes_executor", True),
        ("airflow.task", False),
        ("task.stdout", False),
        ("etl", False),
        (None, False),
    ],
)
def test_of_a_structured_log_line_only_airflows_own_sentences_are_read(logger: object, counts: bool) -> None:
    line = {"level": "warning", "event": "Pod failed because of NodeLost", "logger": logger}

    for payload in (line, json.dumps(line)):
        assert (reading("airflow", "log line", payload).service == "k8s") is counts
        assert (
            classify(reading("airflow", "log line", payload), DEFAULT_RULES).cause.charge is Charge.SYSTEM
        ) is counts


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("/home/airflow/.local/lib/python3.12/site-packages/airflow/providers/amazon/aws/operators/ecs.py", True),
        ("/opt/airflow/dags/etl.py", False),
        (7, False),
    ],
)
def test_of_a_structured_exception_only_what_airflow_raised_is_read(file: object, counts: bool) -> None:
    runner = {"filename": "/usr/lib/python3/site-packages/airflow/sdk/execution_time/task_runner.py", "lineno": 1}
    said = "The task failed to start due to: TaskFailedToStart: AGENT"
    error = {"exc_type": "EcsTaskFailToStart", "exc_value": said, "frames": [runner, {"filename": file, "lineno": 2}]}
    line = {"event": "Task failed with exception", "logger": "task", "error_detail": [error]}

    answer = classify(reading("airflow", "log line", line), DEFAULT_RULES)

    assert (answer.rule == "ecs/agent-disconnected") is counts
    assert (answer.cause.charge is Charge.SYSTEM) is counts


@pytest.mark.parametrize("detail", [None, [], {}, "x", [[]], [{"exc_value": "x", "frames": []}]])
def test_a_structured_exception_of_another_shape_says_nothing(detail: object) -> None:
    assert reading("airflow", "log line", {"event": "x", "error_detail": detail}).service == "airflow"


def test_a_bare_string_is_a_field_where_its_surface_says_so_and_text_elsewhere() -> None:
    field, text = reading("batch", "statusReason", "Task failed to start"), reading("batch", "log line", "Task failed")

    assert field.facts["statusreason"] == ("Task failed to start",)
    assert (dict(text.facts), text.text) == ({}, "Task failed")


def test_only_the_last_item_of_a_history_counts() -> None:
    job = {
        "attempts": [
            {"statusReason": "Host EC2 (instance i-0abc) terminated."},
            {"statusReason": "Essential container in task exited"},
        ]
    }

    assert reading("batch", "statusReason", job).facts["attempts.statusreason"] == (
        "Essential container in task exited",
    )


def test_an_operators_exception_carries_the_vendors_answer() -> None:
    message = (
        "This task is not in success state {'stopCode': 'SpotInterruption', 'containers': [{'exitCode': 137}],"
        " 'createdAt': datetime.datetime(2026, 1, 1, tzinfo=tzlocal()), 'cpu': -1}"
    )

    evidence = reading("airflow", "exception message", message)

    assert (evidence.service, evidence.text) == ("ecs", "")
    assert evidence.facts["containers.exitcode"] == (137,)
    assert evidence.facts["cpu"] == (-1,)


def test_an_answer_that_was_cut_off_gives_what_it_still_says() -> None:
    answer = "{'stopCode': 'SpotInterruption', 'tags': {'stopCode': 'UserInitiated'}, 'x': 'cu"

    assert reading("airflow", "exception message", f"This task is not in success state {answer}").facts["stopcode"] == (
        "SpotInterruption",
    )


@pytest.mark.parametrize(
    ("context", "capacity"),
    [
        ({"provisioning": "spot"}, CapacityType.SPOT),
        ({"node_provisioning": "preemptible"}, CapacityType.SPOT),
        ({"capacity": "on-demand"}, CapacityType.ON_DEMAND),
        ({"capacity": CapacityType.SPOT}, CapacityType.SPOT),
        ({"provisioning": "unknown"}, None),
        ({"provisioning": ["spot"]}, None),
        ({}, None),
        (None, None),
        ("spot", None),
    ],
)
def test_capacity_is_known_or_it_is_not(context: object, capacity: CapacityType | None) -> None:
    assert reading("batch", "statusReason", "x", context).capacity is capacity


def test_the_node_may_say_what_it_is_but_the_pods_labels_may_not() -> None:
    label = {"metadata": {"labels": {"cloud.google.com/gke-spot": "true"}}}

    assert reading("gke", "pod status", {"node": label}).capacity is CapacityType.SPOT
    assert reading("gke", "pod status", label).capacity is None


def test_of_a_shared_list_of_events_only_ours_count() -> None:
    events = {"Events": [{"EventType": "Preempt", "Resources": ["a"]}, {"EventType": "Reboot", "Resources": ["b"]}]}

    assert reading("aks", "imds json", events, {"vm": "b"}).facts["eventtype"] == ("Reboot",)
    assert reading("aks", "imds json", {**events, "this_vm": "a"}).facts["eventtype"] == ("Preempt",)


def cause(payload: object, context: object = None, service: str = "k8s") -> str:
    return classify(reading(service, "events", payload, context), DEFAULT_RULES).cause.value


def event(reason: str, node: str, message: str = "") -> dict[str, object]:
    return {"reason": reason, "message": message, "involvedObject": {"kind": "Node", "name": node}}


def test_what_two_events_say_never_adds_up() -> None:
    one = {"reason": "Evicted", "message": "Evicted pod: Drifted"}
    apart = [{"reason": "Evicted", "message": "?"}, {"reason": "Killing", "message": "Evicted pod: Drifted"}]

    assert cause([one]) == "infrastructure"
    assert cause(apart) == "unknown"
    assert cause({"items": apart}) == "unknown"


def test_what_is_said_of_the_whole_is_said_of_its_parts() -> None:
    job = {"eventName": "SERVICE_TASK_PLACEMENT_FAILURE", "events": [{"reason": "x"}, {"reason": "RESOURCE:CPU"}]}

    assert cause(job, service="ecs") == "no_capacity"


def test_the_most_telling_event_decides_wherever_it_stands() -> None:
    removal = [event("NodeNotReady", "a"), event("RemovingNode", "a")]
    for telling, expected in (("SpotInterrupted", "spot_interruption"), ("ScaleDown", "infrastructure")):
        for events in ([event(telling, "a"), *removal], [*removal, event(telling, "a")]):
            assert cause(events, {"capacity": "spot", "node": "a"}) == expected


def test_an_event_beside_a_pod_explains_the_pods_end() -> None:
    pod = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}]}
    spot = {"capacity": "spot"}

    assert cause(pod, spot) == "spot_interruption"
    assert cause({**pod, "node_event": {"reason": "ScaleDown"}}, spot) == "infrastructure"
    assert cause({**pod, "node_event": {"reason": "NodeNotReady"}}, spot) == "spot_interruption"


def test_only_events_of_our_own_machine_count() -> None:
    events = [event("SpotInterrupted", "b"), event("DisruptionTerminating", "a")]

    assert cause(events, {"node": "a", "capacity": "spot"}) == "infrastructure"
    assert cause(events, {"node": "b", "capacity": "spot"}) == "spot_interruption"
    assert "not where the attempt ran" in classify(reading("k8s", "", events, {"node": "c"}), DEFAULT_RULES).reason


def test_of_several_machines_without_knowing_ours_nothing_is_known_unless_they_agree() -> None:
    assert cause([event("SpotInterrupted", "a"), event("NodeReady", "b")]) == "unknown"
    assert cause([event("SpotInterrupted", "a"), event("SpotInterrupted", "b")]) == "spot_interruption"
    assert cause([event("SpotInterrupted", "a"), event("NodeNotReady", "a")]) == "spot_interruption"


def test_a_pod_tells_which_node_is_its_own() -> None:
    pod = {"kind": "Pod", "spec": {"nodeName": "a"}, "status": {"phase": "Failed"}}

    assert cause({**pod, "node_events": [event("SpotInterrupted", "b")]}) == "unknown"
    assert cause({**pod, "node_events": [event("SpotInterrupted", "a")]}) == "spot_interruption"


def test_a_neighbour_that_succeeded_is_not_us() -> None:
    jobs = {"jobs": [{"status": "SUCCEEDED"}, {"status": "FAILED", "statusReason": "Task failed to start"}]}

    assert cause(jobs, service="batch") == "infrastructure"
    assert cause({"jobs": [{**jobs["jobs"][0], "statusReason": "Task failed to start"}]}, service="batch") == "unknown"


MISMATCH = (
    "Executor KubernetesExecutor(parallelism=32) reported that the task instance <TaskInstance: d.t r [{state}] x=1>"
    " finished with state failed, but the task instance's state attribute is {state}. Learn more: https://x.y/z"
    " Extra info: {info}"
)


@pytest.mark.parametrize(
    ("state", "info", "expected"),
    [
        ("running", "Pod failed because of NodeLost", "infrastructure"),
        ("running", "Pod failed because of DeadlineExceeded", "application"),
        ("queued", "Pod failed because of Error", "infrastructure"),
        ("running", "Pod failed because of Error", "unknown"),
        ("queued", "None", "infrastructure"),
        ("running", "WorkerLostError('Worker exited prematurely: signal 15 (SIGTERM) Job: 3.')", "infrastructure"),
    ],
)
def test_a_sentence_counts_only_where_what_it_wraps_says_nothing(state: str, info: str, expected: str) -> None:
    message = MISMATCH.format(state=state, info=info)

    for line in (message, f"[2026-11-28T10:00:00.000+0000] {{scheduler_job_runner.py:1}} ERROR - {message}"):
        assert cause(line, service="airflow") == expected


def test_wrapping_without_end_ends() -> None:
    assert cause(
        "airflow.exceptions.AirflowException: " * 50 + "Pod failed because of NodeLost", service="airflow"
    ) in (
        "unknown",
        "infrastructure",
    )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=20,
)
names = st.sampled_from(SERVICES) | anything


@given(names, anything, anything | st.text().map(json.dumps), anything)
@settings(max_examples=300, deadline=None)
def test_anything_at_all_is_evidence_of_something(
    service: object, surface: object, payload: object, context: object
) -> None:
    classify(reading(service, surface, payload, context), DEFAULT_RULES)


HOSTILE = {
    "deep JSON": "[" * 100_000,
    "deep object": '{"a":' * 50_000,
    "deep repr": "This task is not in success state " + "{'a': " * 5_000,
    "many minus signs": "This task is not in success state {'a': " + "-" * 60_000 + "1}",
    "open quotes": "This task is not in success state {" + "'\\" * 30_000,
    "long number": '{"exitCode": ' + "9" * 100_000 + "}",
    "one huge string": "Host EC2 (instance " * 50_000,
    "brackets": "Executor A(x) reported that the task instance <TaskInstance: " + "[" * 60_000,
    "underscores": "A_" * 50_000,
    "hyphens": "a-" * 50_000,
    "spaces": " " * 200_000 + "x",
    "nodes": "0/0 nodes are available" * 5_000,
    "wide object": json.dumps({f"k{number}": {"reason": "x"} for number in range(20_000)}),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_input_costs_no_time_and_decides_nothing(text: str) -> None:
    start = time.process_time()
    for service in SERVICES:
        answer = classify(reading(service, "exception message", text), DEFAULT_RULES)
        assert answer.cause.charge is not Charge.SYSTEM

    assert (time.process_time() - start) / len(SERVICES) < 0.5

# SPDX-License-Identifier: Apache-2.0
"""What each check that asks nobody finds in a configuration, and that it finds nothing in one that is in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.doctor import computes, executor_retries, grace, own_section, state_store, timeouts, versions
from airflow_interruptible.doctor.deployment import Deployment, Executor

if TYPE_CHECKING:
    from pathlib import Path

ECS, BATCH = ("AwsEcsExecutor",), ("AwsBatchExecutor",)
CELERY, KUBERNETES = ("CeleryExecutor",), ("KubernetesExecutor",)
QUEUES = '{"spot": "cheap", "on_demand": "safe"}'


@pytest.mark.parametrize(
    ("executors", "options", "found"),
    [
        (ECS, {}, [("executor-retries/ecs", "error")]),
        (ECS, {"aws_ecs_executor.max_run_task_attempts": "1"}, []),
        (BATCH, {"aws_batch_executor.max_submit_job_attempts": "2"}, [("executor-retries/batch", "error")]),
        (BATCH, {"aws_batch_executor.max_submit_job_attempts": "1"}, []),
        (("LocalExecutor",), {}, []),
        (CELERY, {"celery.broker_url": "redis://r/0"}, []),
        (
            CELERY,
            {"celery.broker_url": "redis://r/0", "celery_broker_transport_options.visibility_timeout": "60"},
            [("executor-retries/celery-visibility-timeout", "warning")],
        ),
        (CELERY, {"celery.broker_url": "amqp://r", "celery_broker_transport_options.visibility_timeout": "60"}, []),
        (
            CELERY,
            {
                "celery.broker_url": "redis://r/0",
                "celery_broker_transport_options.visibility_timeout": "60",
                "celery.task_acks_late": "False",
            },
            [],
        ),
        (KUBERNETES, {"kubernetes_executor.pod_launch_failure_retries": "1"}, []),
    ],
)
def test_executors_that_retry(
    executors: tuple[str, ...], options: dict[str, str], found: Any, deploy: Any, ids: Any
) -> None:
    assert ids(executor_retries.check(deploy(options, executors))) == found


def test_launches_again_where_pods_are_placed(deploy: Any, ids: Any, configure: Any) -> None:
    configure(compute="gke")
    deployment = deploy({"kubernetes_executor.pod_launch_failure_retries": "1"}, KUBERNETES)
    assert ids(executor_retries.check(deployment)) == [("executor-retries/kubernetes", "info")]


def test_an_executor_of_ours_has_its_own_way(deploy: Any) -> None:
    assert list(executor_retries.check(deploy({}, ECS, ours=True))) == []


@pytest.mark.parametrize(
    ("said", "options", "found"),
    [
        ({}, {}, []),
        ({"late_heartbeat": "0"}, {}, ["time-outs/late-heartbeat-off"]),
        ({"late_heartbeat": "3"}, {}, ["time-outs/late-heartbeat-below-interval"]),
        ({"late_heartbeat": "300"}, {}, ["time-outs/late-heartbeat-above-time-out"]),
        ({}, {"scheduler.task_instance_heartbeat_timeout": "20"}, ["time-outs/heartbeat-short"]),
        ({}, {"scheduler.task_instance_heartbeat_timeout": "60"}, []),
        ({}, {"scheduler.task_queued_timeout": "300"}, ["time-outs/queued-below-spot-timeout"]),
        ({"session_events": "False"}, {"scheduler.task_queued_timeout": "300"}, []),
    ],
)
def test_time_outs(
    said: dict[str, str], options: dict[str, str], found: list[str], *, deploy: Any, ids: Any, configure: Any
) -> None:
    configure(**said)
    assert ids(timeouts.check(deploy(options, KUBERNETES))) == [(each, "warning") for each in found]


def test_the_queue_s_time_out_matters_to_pods_only(deploy: Any) -> None:
    assert list(timeouts.check(deploy({"scheduler.task_queued_timeout": "100"}, CELERY))) == []


@pytest.mark.parametrize(
    ("executors", "options", "found"),
    [
        (KUBERNETES, {}, []),
        (KUBERNETES, {"kubernetes_executor.delete_option_kwargs": '{"grace_period_seconds": 0}'},
         ["grace/delete-options"]),
        (KUBERNETES, {"kubernetes_executor.delete_option_kwargs": '{"grace_period_seconds": 60}'}, []),
        (KUBERNETES, {"kubernetes_executor.delete_option_kwargs": "rubbish"}, []),
        (KUBERNETES, {"kubernetes_executor.delete_worker_pods": "False"}, ["grace/kept-pods"]),
        (CELERY, {}, []),
        (CELERY, {"celery.pool": "threads"}, ["grace/celery-pool"]),
        (CELERY, {"celery.worker_enable_remote_control": "false"}, ["grace/celery-remote-control"]),
        (("LocalExecutor",), {"celery.pool": "threads"}, []),
    ],
)  # fmt: skip
def test_grace(executors: tuple[str, ...], options: dict[str, str], found: list[str], deploy: Any, ids: Any) -> None:
    assert ids(grace.check(deploy(options, executors))) == [(each, "warning") for each in found]


@pytest.mark.parametrize(("seconds", "found"), [(2, ["grace/pod-template"]), (60, []), (None, [])])
def test_the_grace_of_pods(seconds: int | None, found: list[str], tmp_path: Path, deploy: Any, ids: Any) -> None:
    template = tmp_path / "pod.yaml"
    template.write_text(json.dumps({"kind": "Pod", "spec": {"terminationGracePeriodSeconds": seconds}}))
    deployment = deploy({"kubernetes_executor.pod_template_file": str(template)}, KUBERNETES)
    assert ids(grace.check(deployment)) == [(each, "warning") for each in found]


@pytest.mark.parametrize(
    ("said", "executors", "found"),
    [
        ({}, CELERY, [("computes/none", "info")]),
        ({"compute": "queue", "compute_options": QUEUES}, CELERY, []),
        ({"compute": "queue", "compute_options": QUEUES}, ("EdgeExecutor",), []),
        ({"compute": "queue", "compute_options": QUEUES}, ("LocalExecutor",), [("computes/unfit", "error")]),
        ({"compute": "queue"}, CELERY, [("computes/options", "error")]),
        ({"compute": "qeue", "compute_options": QUEUES}, CELERY, [("computes/unknown", "error")]),
        ({"compute": "gke"}, KUBERNETES, []),
        ({"compute": "gke"}, CELERY, [("computes/unfit", "error")]),
        ({"compute": "gke", "compute_options": '{"preset": "x"}'}, KUBERNETES, [("computes/options", "error")]),
        ({"pod_compute": "gke", "pod_compute_options": '{"x": 1}'}, CELERY,
         [("computes/none", "info"), ("computes/launched", "error")]),
        ({"compute": "executor", "compute_options": '{"spot": "A", "on_demand": "LocalExecutor"}'},
         ("LocalExecutor",), [("computes/options", "error")]),
        ({"pod_compute": "gkee"}, CELERY, [("computes/none", "info"), ("computes/launched", "error")]),
        ({"launched": '{"batch": {"spot": "a"}}'}, CELERY, [("computes/none", "info"), ("computes/launched", "error")]),
        ({"launched": '{"batch": {"spot": "a", "on_demand": "b"}}'}, CELERY, [("computes/none", "info")]),
        ({"launched": '{"btach": {}}'}, CELERY, [("computes/none", "info"), ("computes/unknown-kind", "error")]),
    ],
)  # fmt: skip
def test_computes(said: dict[str, str], executors: Any, found: Any, *, deploy: Any, ids: Any, configure: Any) -> None:
    configure(**said)
    assert ids(computes.check(deploy({}, executors))) == found


def test_the_nearest_compute_is_named(deploy: Any, configure: Any) -> None:
    configure(compute="karpentr")
    (found,) = computes.check(deploy({}, KUBERNETES))
    assert (found.value, found.better) == ("karpentr", "karpenter")


def test_an_executor_that_refuses_the_marker(deploy: Any, ids: Any, configure: Any) -> None:
    configure(compute="queue", compute_options=QUEUES)
    assert ids(computes.check(deploy({}, CELERY + ECS))) == [("computes/unmarked", "warning")]


def test_an_executor_that_cannot_be_imported(ids: Any, configure: Any) -> None:
    configure(compute="queue", compute_options=QUEUES)
    deployment = Deployment(lambda *_: None, (Executor("TheirExecutor", error="ImportError: no"),))
    assert ids(computes.check(deployment)) == [("computes/executor", "warning")]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({"interruptible.system_retries": "5"}, []),
        ({"interruptible.late_heartbeet": "5"}, [("[interruptible] late_heartbeet", "late_heartbeat")]),
        ({"interuptible.compute": "gke"}, [("[interuptible] compute", "[interruptible] compute")]),
        ({"scheduler.job_heartbeat_sec": "5"}, []),
    ],
)
def test_slips_of_the_pen(written: dict[str, str], found: Any, deploy: Any) -> None:
    findings = list(own_section.check(deploy(written)))
    assert [(finding.setting, finding.better) for finding in findings] == found
    assert all((finding.id, finding.severity.value) == ("options/unknown", "error") for finding in findings)


def test_a_name_that_is_like_no_other(deploy: Any) -> None:
    (found,) = own_section.check(deploy({"interruptible.zzz": "1"}))
    assert found.better.startswith("one of ")


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ({"system_retries": "-1"}, "error"),
        ({"compute_options": "spot"}, "error"),
        ({"default": "perhaps"}, "error"),
        ({"prices": "{"}, "warning"),
        ({"links": "{"}, "warning"),
    ],
)
def test_values_that_cannot_be_meant(
    said: dict[str, str], severity: str, deploy: Any, ids: Any, configure: Any
) -> None:
    configure(**said)
    options = {f"interruptible.{name}": value for name, value in said.items()}
    deployment = deploy(options)
    assert ids(own_section.check(deployment)) == [("options/value", severity)]
    (found,) = own_section.check(deployment)
    assert found.setting == f"[interruptible] {next(iter(said))}"
    assert found.value == next(iter(said.values()))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, []),
        ({"workers.state_store_backend": "ours.Store"}, [("state-store/workers-backend", "warning")]),
        ({"state_store.clear_on_success": "True"}, [("state-store/cleared", "info")]),
        ({"state_store.default_retention_days": "1"}, [("state-store/retention", "warning")]),
        ({"state_store.default_retention_days": "0"}, []),
    ],
)
def test_the_state_store_s_options(options: dict[str, str], found: Any, deploy: Any, ids: Any) -> None:
    assert ids(state_store._options(deploy(options))) == found


def test_versions() -> None:
    wants = ["apache-airflow<3.5,>=3.3", "apache-airflow-providers-amazon>=9.30; extra == 'amazon'", "absent>=2"]
    here = {"apache-airflow": "3.4.0b2", "apache-airflow-providers-amazon": "9.40.0"}
    assert list(versions.unmet(wants, here.get)) == [], "a beta is one of them, and what is not there is not needed"
    here = {"apache-airflow": "3.2.1", "apache-airflow-providers-amazon": "9.2.0"}
    found = list(versions.unmet(wants, here.get))
    assert [(each.id, each.severity.value, each.value) for each in found] == [
        ("versions/airflow", "error", "3.2.1"),
        ("versions/provider", "warning", "9.2.0"),
    ]


def test_a_copy_is_no_installation() -> None:
    assert [each.id for each in versions.unregistered(["others.policies"])] == ["versions/not-registered"]
    assert list(versions.unregistered([versions._POLICY])) == []


def test_this_installation_is_in_order(deploy: Any) -> None:
    assert list(versions.check(deploy())) == []

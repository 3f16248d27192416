# SPDX-License-Identifier: Apache-2.0
"""Databricks runs. The provider is not needed: the table knows its operators by name, and the hook is a fake."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest


def part(result: str, code: str = "", cluster: str = "", **fields: Any) -> dict[str, Any]:
    details = {"termination_details": {"code": code, "type": "INTERNAL_ERROR", "message": "preempted"}} if code else {}
    return {
        "task_key": cluster or "t",
        "attempt_number": 0,
        "state": {"life_cycle_state": "TERMINATED", "result_state": result, "state_message": "Terminated by Spot"},
        "status": {"state": "TERMINATED", **details},
        "cluster_instance": {"cluster_id": cluster} if cluster else {},
        **fields,
    }


class Hook:
    def __init__(self, run: Any, **clusters: Any) -> None:
        self.run, self.clusters, self.asked = run, clusters, []

    def get_run(self, run_id: int) -> Any:
        assert run_id == 7
        return self.run

    def _do_api_call(self, endpoint: Any, params: dict[str, Any]) -> Any:
        self.asked.append(params["cluster_id"])
        assert endpoint == ("GET", "2.1/clusters/get")
        return self.clusters[params["cluster_id"]]


@pytest.fixture
def failed() -> Any:
    """``failed(hook)``: a DatabricksSubmitRunOperator whose run has failed."""

    def build(hook: Any, run_id: int | None = 7) -> Any:
        names = {"__module__": "airflow.providers.databricks.operators.databricks"}
        operator = type("DatabricksSubmitRunOperator", (SimpleNamespace,), names)
        return operator(_hook=hook, run_id=run_id)

    return build


def terminated(code: str, first_on_demand: int | None = 0) -> dict[str, Any]:
    attributes = {"availability": "SPOT", "first_on_demand": first_on_demand}
    return {"termination_reason": {"code": code, "type": "CLOUD_FAILURE"}, "aws_attributes": attributes}


CLUSTER_ERROR = part("FAILED", "CLUSTER_ERROR", "c")


@pytest.mark.parametrize(
    ("run", "clusters", "rule"),
    [
        (part("FAILED", "RUN_EXECUTION_ERROR", "c"), {}, "databricks/run-authors"),
        (CLUSTER_ERROR, {"c": terminated("SPOT_INSTANCE_TERMINATION")}, "databricks/spot"),
        (CLUSTER_ERROR, {"c": terminated("CLOUD_PROVIDER_SHUTDOWN")}, "databricks/driver-shut-down-on-spot"),
        (CLUSTER_ERROR, {"c": terminated("CLOUD_PROVIDER_SHUTDOWN", 1)}, "databricks/driver-shut-down"),
        (CLUSTER_ERROR, {}, "databricks/run-either"),
        (part("CANCELED", "USER_CANCELED"), {}, "databricks/run-cancelled"),
        (part("FAILED", "CLOUD_FAILURE"), {}, "databricks/run-platform"),
        (part("SUCCESS"), {}, "ecs/host-gone"),
        ({"state": {"life_cycle_state": "RUNNING"}}, {}, "ecs/host-gone"),
    ],
)
def test_a_run_says_it_whatever_the_text_says(run: Any, clusters: Any, rule: str, failed: Any, rule_of: Any) -> None:
    hook = Hook(run, **clusters)
    assert rule_of(failed(hook)) == rule
    assert hook.asked == (["c"] if run is CLUSTER_ERROR else [])


@pytest.mark.parametrize(
    ("tasks", "rule"),
    [
        (
            [part("SUCCESS", cluster="b"), part("FAILED", "CLUSTER_ERROR", "c"), part("UPSTREAM_FAILED")],
            "databricks/spot",
        ),
        ([part("FAILED", "CLUSTER_ERROR", "c"), part("FAILED", "RUN_EXECUTION_ERROR", "b")], "databricks/run-authors"),
        (
            [part("FAILED", "RUN_EXECUTION_ERROR", "c"), part("FAILED", "CLUSTER_ERROR", "c", attempt_number=1)],
            "databricks/spot",
        ),
        (
            [part("FAILED", "CLUSTER_ERROR", "c"), part("FAILED", "RUN_EXECUTION_ERROR", "c", attempt_number=1)],
            "databricks/run-authors",
        ),
    ],
)
def test_of_several_tasks_the_authors_own_failure_decides(tasks: Any, rule: str, failed: Any, rule_of: Any) -> None:
    run = {**part("FAILED"), "tasks": tasks}
    assert rule_of(failed(Hook(run, c=terminated("SPOT_INSTANCE_TERMINATION")))) == rule


def test_after_a_deferral_the_xcom_names_the_run(failed: Any, rule_of: Any, context: dict[str, Any]) -> None:
    context["xcoms"]["run_id"] = 7
    assert rule_of(failed(Hook(part("FAILED", "CLOUD_FAILURE")), None)) == "databricks/run-platform"


@pytest.mark.parametrize(
    "run", [None, 3, [], {"state": 3}, {**part("FAILED"), "tasks": [None, {"attempt_number": "x"}]}]
)
def test_rubbish_is_no_evidence(run: Any, failed: Any, rule_of: Any) -> None:
    assert rule_of(failed(Hook(run))) == "ecs/host-gone"

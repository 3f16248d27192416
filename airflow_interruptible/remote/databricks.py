# SPDX-License-Identifier: Apache-2.0
"""Databricks: a run, its failed tasks, and why their cluster ended.

The surprising fact: the run only says that its cluster failed; that the driver's spot instance was taken back stands at
the cluster. https://docs.databricks.com/api/workspace/jobs/getrun and https://docs.databricks.com/api/workspace/clusters/get
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.remote.answer import Answer, each, inside, least_forgiving, pick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.remote.failure import Failure

GET_CLUSTER = ("GET", "2.1/clusters/get")
"""As the provider's hook spells its endpoints; it has no public call that returns the reason of a termination."""

_CLOUDS = ("aws_attributes", "azure_attributes", "gcp_attributes")
_BAD = ("FAILED", "TIMEDOUT", "CANCELED", "INTERNAL_ERROR")
"""Results of what failed by itself. The others are fine, still going on, or failed because another task did."""

_ASKED = {"capacity": None}
"""What was asked for is what the workers are. Only the cluster tells what its driver was."""

_AUTHORS = (Cause.APPLICATION, Cause.USER_ACTION)


def describe(failure: Failure) -> Iterator[Answer]:
    """Describe the run of a DatabricksSubmitRunOperator or DatabricksRunNowOperator."""
    name = failure.attribute("run_id") or failure.xcom("run_id")
    if not name:
        return
    hook = failure.attribute("_hook")
    run = hook.get_run(name)
    if not _failed(run):
        return
    # Databricks lists every try of a task; only the last one counts.
    last = {
        part.get("task_key"): part
        for part in sorted(each(run, "tasks"), key=lambda one: int(one.get("attempt_number") or 0))
    }
    parts = [part for part in last.values() if _failed(part)] or [run]
    decisive = least_forgiving(map(_answer, parts))
    if decisive is None:
        return
    yield decisive
    clusters = {str(inside(part, "cluster_instance").get("cluster_id") or "") for part in parts} - {""}
    if decisive.cause not in _AUTHORS and len(clusters) == 1:
        yield decisive.with_fields(cluster=_cluster(hook, clusters.pop()))


def _failed(part: Mapping[str, Any]) -> bool:
    state = inside(part, "state")
    return (state.get("result_state") or state.get("life_cycle_state")) in _BAD


def _answer(part: Mapping[str, Any]) -> Answer:
    details = pick(inside(part, "status", "termination_details"), "code", "type")
    fields = {"termination_details": details, "state": pick(inside(part, "state"), "result_state")}
    return Answer("databricks", "jobs/runs/get", fields, known=_ASKED)


def _cluster(hook: Any, name: str) -> dict[str, Any]:
    cluster = hook._do_api_call(GET_CLUSTER, {"cluster_id": name})  # noqa: SLF001 - see GET_CLUSTER
    reason = pick(inside(cluster, "termination_reason"), "code", "type")
    # Otherwise the driver, whose loss ends the run, is on demand: the availability is that of the workers.
    on_spot = [cloud for cloud in _CLOUDS if inside(cluster, cloud).get("first_on_demand") == 0]
    return {"termination_reason": reason, **{cloud: pick(cluster[cloud], "availability") for cloud in on_spot}}

# SPDX-License-Identifier: Apache-2.0
"""Databricks: the runs that DatabricksSubmitRunOperator submits, placed by the availability of their new clusters.

On spot a cluster falls back by itself where the cloud has no spot left, so that is what is asked for unless the author
says otherwise. https://docs.databricks.com/api/workspace/clusters/create (``aws_attributes`` and its kin)

The surprising fact: where nothing is said a cluster is on spot already, so the last attempt would be, too. The driver,
whose loss ends the run, is on demand as long as ``first_on_demand`` is 1 or more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.launched.fields import copied
from airflow_interruptible.launched.hooks import around, is_missing
from airflow_interruptible.launched.work import GONE, Seen, Work, is_template, numbered, refuse
from airflow_interruptible.remote.answer import each, inside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

_AVAILABILITY = {
    "aws": {CapacityType.SPOT: ("SPOT_WITH_FALLBACK", "SPOT"), CapacityType.ON_DEMAND: ("ON_DEMAND",)},
    "azure": {
        CapacityType.SPOT: ("SPOT_WITH_FALLBACK_AZURE", "SPOT_AZURE"),
        CapacityType.ON_DEMAND: ("ON_DEMAND_AZURE",),
    },
    "gcp": {
        CapacityType.SPOT: ("PREEMPTIBLE_WITH_FALLBACK_GCP", "PREEMPTIBLE_GCP"),
        CapacityType.ON_DEMAND: ("ON_DEMAND_GCP",),
    },
}
"""What stands for each capacity; the first one is asked for where the author names none."""

_CAPACITIES = {
    name: capacity for cloud in _AVAILABILITY.values() for capacity, names in cloud.items() for name in names
}
_NODE_TYPES = {"azure": r"Standard_\w+", "gcp": r"[a-z]\w*-[a-z]\w*-\w+", "aws": r"[a-z][\w-]*\.\w+"}
"""How each cloud spells its machine types: ``Standard_DS3_v2``, ``n2-standard-4``, ``i3.xlarge``."""

_ELSEWHERE = ("instance_pool_id", "driver_instance_pool_id")
_LISTS = ("tasks", "job_clusters")
_LONGEST_TOKEN = 64
"""https://docs.databricks.com/api/workspace/jobs/submit (``idempotency_token``)"""

_STATES = {
    "RUNNING": WorkState.AT_WORK,
    "TERMINATING": WorkState.ENDING,
    "TERMINATED": WorkState.OVER,
    "SKIPPED": WorkState.OVER,
    "INTERNAL_ERROR": WorkState.OVER,
}
"""Any other is before the start. https://docs.databricks.com/api/workspace/jobs/getrun (``life_cycle_state``)"""


class DatabricksRuns(Work):
    """Runs of Databricks. Option: ``cloud`` (aws, azure or gcp), for clusters that do not show theirs."""

    name = "databricks"
    noun = "Databricks run"
    owns = frozenset({"new_cluster", "tasks", "json"})
    amends = owns
    stopped_by_operator = True

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse anything but a cloud."""
        if set(options) - {"cloud"} or options.get("cloud", "aws") not in _AVAILABILITY:
            raise ConfigurationError(
                f"compute 'databricks' got {dict(options)!r}. Its only option is cloud, which is one of "
                f"{', '.join(_AVAILABILITY)}."
            )

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Refuse clusters that nobody can place, retries of Databricks' own, and runs that are not waited for."""
        if not arguments.get("wait_for_termination", True):
            why = "nobody would see that the run was interrupted."
            raise refuse("wait_for_termination", False, why, "Wait for it.")
        request = _merged(arguments)
        for part in [request, *each(request, "tasks")]:
            _check_part(part)
        clusters = list(_clusters(request))
        for cluster in clusters:
            _check_cluster(cluster, options)
        if not clusters and not _is_partly_unknown(arguments):
            raise ConfigurationError(
                "An interruptible Databricks run needs a new cluster, whose availability each attempt writes: without "
                "one it is serverless, or on what others have made. Write new_cluster, or say interruptible=False."
            )

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:  # noqa: ARG002
        """Return what the author's availability stands for."""
        return _capacity_of(_merged(arguments))

    def placed(
        self, arguments: Mapping[str, Any], options: Mapping[str, Any], capacity: CapacityType
    ) -> dict[str, Any]:
        """Return what holds clusters, each of them with that availability."""
        changes: dict[str, Any] = {}
        for name in sorted(self.owns):
            request = _one(name, arguments.get(name))
            clusters = list(_clusters(request))
            for cluster in clusters:
                _place(cluster, options, capacity)
            if clusters:
                changes[name] = request if name == "json" else request[name]
        return changes

    def identified(self, arguments: Mapping[str, Any], attempt: int) -> dict[str, Any]:
        """Return a token that differs by attempt: with the same one, the failed run would come back."""
        changes: dict[str, Any] = {}
        if attempt == 1:
            return changes
        if token := arguments.get("idempotency_token"):
            changes["idempotency_token"] = numbered(token, attempt, _LONGEST_TOKEN)
        request = copied(arguments.get("json"))
        if request and (token := request.get("idempotency_token")):
            changes["json"] = {**request, "idempotency_token": numbered(token, attempt, _LONGEST_TOKEN)}
        return changes

    def hearing(
        self,
        task: Any,
        heard: Callable[[str], None],
        attached: str | None,
    ) -> AbstractContextManager[object]:
        """Hear of the id that runs/submit answers with."""
        from airflow.providers.databricks.hooks.databricks import DatabricksHook

        def submit(call: Callable[..., Any], _: Any, *args: Any, **kwargs: Any) -> Any:
            if attached:
                return int(attached)
            task.run_id = run = call(*args, **kwargs)
            heard(str(run))
            return run

        return around(DatabricksHook, "submit_run", submit)

    def others(self, task: Any, context: Mapping[str, Any]) -> list[str]:
        """Return the run that ``durable=True`` would find."""
        store = context.get("task_state_store")
        found = store.get(task.external_id_key) if store is not None and getattr(task, "durable", False) else None
        return [str(found)] if found else []

    def attach(self, task: Any, job: str) -> None:
        """The operator submits in any case, and is answered with this run."""
        task.run_id = int(job)

    def look(self, task: Any, job: str) -> Seen:
        """Return what runs/get says; Databricks keeps a run for 60 days."""
        try:
            told = _hook(task).get_run(int(job))
        except Exception as error:
            if is_missing(error):
                return GONE
            raise
        state = inside(told, "state")
        now = _STATES.get(str(state.get("life_cycle_state")), WorkState.WAITING)
        return Seen(now, state.get("result_state") == "SUCCESS", _capacity_of({**told, **inside(told, "cluster_spec")}))

    def stop(self, task: Any, job: str) -> None:
        """runs/cancel, which does nothing to a run that is over."""
        _hook(task).cancel_run(int(job))


def _hook(task: Any) -> Any:
    from airflow.providers.databricks.hooks.databricks import DatabricksHook

    return DatabricksHook(task.databricks_conn_id, retry_limit=2, caller="airflow-interruptible")


def _one(name: str, given: object) -> dict[str, Any]:
    """An argument as the part of the request that it is."""
    if name == "json":
        return copied(given) or {}
    return copied({name: given}) or {} if isinstance(given, dict | list | tuple) else {}


def _merged(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The request, as far as it is known: named arguments take precedence over ``json``."""
    named = ("new_cluster", "tasks", "existing_cluster_id")
    given = {name: arguments[name] for name in named if arguments.get(name) is not None}
    return {**_one("json", arguments.get("json")), **(copied(given) or {})}


def _is_partly_unknown(arguments: Mapping[str, Any]) -> bool:
    """Whether only rendering will tell a part that may hold a cluster."""
    given = [value for name in DatabricksRuns.owns if (value := arguments.get(name)) is not None]
    return any(is_template(value) or not isinstance(value, dict | list | tuple | str) for value in given)


def _clusters(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    holders = [request, *(part for name in _LISTS for part in each(request, name))]
    for holder in holders:
        if isinstance(cluster := holder.get("new_cluster"), dict):
            yield cluster


def _cloud_of(cluster: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
    named = [cloud for cloud in _AVAILABILITY if isinstance(cluster.get(f"{cloud}_attributes"), dict)]
    if len(named) == 1:
        return named[0]
    kind = str(cluster.get("node_type_id") or cluster.get("driver_node_type_id") or "")
    spelled = (cloud for cloud, pattern in _NODE_TYPES.items() if re.fullmatch(pattern, kind))
    return options.get("cloud") or next(spelled, None)


def _place(cluster: dict[str, Any], options: Mapping[str, Any], capacity: CapacityType) -> None:
    cloud = _cloud_of(cluster, options)
    if cloud is None:
        raise LookupError("nothing tells on which cloud this cluster is")
    attributes = cluster.setdefault(f"{cloud}_attributes", {})
    if attributes.get("availability") not in _AVAILABILITY[cloud][capacity]:
        attributes["availability"] = _AVAILABILITY[cloud][capacity][0]


def _check_part(part: Mapping[str, Any]) -> None:
    if existing := part.get("existing_cluster_id"):
        why = "that cluster is what it is, and no attempt could choose."
        raise refuse("existing_cluster_id", existing, why, "Write new_cluster in its place.")
    for name in ("max_retries", "retry_on_timeout"):
        if again := part.get(name):
            why = "Databricks would try again by itself, on the same kind of machine, and nobody would count it."
            raise refuse(name, again, why, "Drop it, and use retries.")


def _check_cluster(cluster: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    for name in _ELSEWHERE:
        if pool := cluster.get(name):
            why = "the pool says what its machines are."
            raise refuse(name, pool, why, "Write node_type_id in its place.")
    cloud = _cloud_of(cluster, options)
    if cloud is None:
        raise ConfigurationError(
            "Nothing tells on which cloud this cluster is: it has no aws_attributes, azure_attributes or "
            "gcp_attributes, and its node_type_id is of no cloud's spelling. Write one of them, or "
            'compute={"name": "databricks", "cloud": "aws"}.'
        )
    said = inside(cluster, f"{cloud}_attributes").get("availability")
    if said and not is_template(said) and _CAPACITIES.get(said) is not CapacityType.SPOT:
        why = "no attempt could be on spot."
        raise refuse("availability", said, why, "Drop it: each attempt writes it.")


def _capacity_of(request: Mapping[str, Any]) -> CapacityType | None:
    """What all new clusters of a request or a run were asked for, None if they do not tell."""
    found = {
        _CAPACITIES.get(str(inside(cluster, f"{cloud}_attributes").get("availability")))
        for cluster in _clusters(request)
        for cloud in _AVAILABILITY
        if inside(cluster, f"{cloud}_attributes")
    }
    return found.pop() if len(found) == 1 else None

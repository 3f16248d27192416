# SPDX-License-Identifier: Apache-2.0
"""Google Dataproc: the clusters that DataprocCreateClusterOperator creates, placed by their secondary workers.

https://cloud.google.com/dataproc/docs/concepts/compute/secondary-vms. Master and primary workers are never spot.

A cluster is not work: later tasks use it by its name, so it is used again, but never one of another capacity.

The surprising fact: secondary workers are preemptible where nothing is said, and losing them fails nothing by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.launched.fields import copied, inner, value, write
from airflow_interruptible.launched.hooks import around, is_missing
from airflow_interruptible.launched.work import GONE, Seen, Work, is_template, refuse
from airflow_interruptible.remote.google import SECONDS, as_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

_WORDS = {CapacityType.SPOT: "SPOT", CapacityType.ON_DEMAND: "NON_PREEMPTIBLE"}
_NUMBERS = {0: None, 1: "NON_PREEMPTIBLE", 2: "PREEMPTIBLE", 3: "SPOT"}
_CAPACITIES = {
    "SPOT": CapacityType.SPOT,
    "PREEMPTIBLE": CapacityType.SPOT,
    "NON_PREEMPTIBLE": CapacityType.ON_DEMAND,
}
"""https://cloud.google.com/dataproc/docs/reference/rest/v1/InstanceGroupConfig#Preemptibility"""

_STATES = {"CREATING": WorkState.WAITING, "DELETING": WorkState.ENDING}
"""Any other is a cluster that is there. https://cloud.google.com/dataproc/docs/reference/rest/v1/ClusterStatus"""


class DataprocClusters(Work):
    """Clusters of Dataproc. No options."""

    name = "dataproc"
    noun = "Dataproc cluster"
    owns = frozenset({"cluster_config"})
    amends = owns
    machines = True
    ends_within = 900.0

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse clusters without secondary workers of their own, and those that are never spot, or a mix."""
        if virtual := arguments.get("virtual_cluster_config"):
            why = "its node pools say what the machines are."
            raise refuse("virtual_cluster_config", virtual, why, "Write cluster_config in its place.")
        config = copied(arguments.get("cluster_config"))
        if config is None:
            return
        secondary = value(config, "secondary_worker_config")
        if not _count(secondary) and not value(config, "autoscaling_config"):
            raise ConfigurationError(
                "An interruptible Dataproc cluster needs secondary workers, which alone can be spot. Set num_instances "
                "in secondary_worker_config, or say interruptible=False."
            )
        said = _preemptibility(secondary)
        if said is not None and not is_template(said) and _CAPACITIES.get(said) is not CapacityType.SPOT:
            why = "no attempt could be on spot."
            raise refuse("preemptibility", said, why, "Drop it: each attempt writes SPOT or NON_PREEMPTIBLE.")
        if mix := value(value(secondary, "instance_flexibility_policy"), "provisioning_model_mix"):
            why = "a mix does not tell what an attempt runs on."
            raise refuse("provisioning_model_mix", mix, why, "Drop it.")

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:  # noqa: ARG002
        """Return what the author's secondary workers are."""
        return _capacity_of(copied(arguments.get("cluster_config")))

    def completed(self, task: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The operator makes a configuration from other arguments, if it is given none."""
        return {**arguments, "cluster_config": task.cluster_config}

    def placed(
        self,
        arguments: Mapping[str, Any],
        options: Mapping[str, Any],  # noqa: ARG002
        capacity: CapacityType,
    ) -> dict[str, Any]:
        """Return the configuration with secondary workers of that kind."""
        config = copied(arguments.get("cluster_config"))
        if config is None:
            raise LookupError(f"{arguments.get('cluster_config')!r} is no configuration")
        write(inner(config, "secondary_worker_config"), "preemptibility", _WORDS[capacity])
        return {"cluster_config": config}

    def hearing(
        self,
        task: Any,
        heard: Callable[[str], None],
        attached: str | None,  # noqa: ARG002
    ) -> AbstractContextManager[object]:
        """Hear that a cluster is about to be made, whose name is its author's: so it is known whoever asks next."""
        from airflow.providers.google.cloud.hooks.dataproc import DataprocHook

        def create(call: Callable[..., Any], _: Any, *args: Any, **kwargs: Any) -> Any:
            if self.look(task, task.cluster_name) is GONE:
                heard(task.cluster_name)
            return call(*args, **kwargs)

        return around(DataprocHook, "create_cluster", create)

    def others(self, task: Any, context: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Return the cluster of that name, which ``use_if_exists=True`` would take."""
        return [task.cluster_name] if task.use_if_exists else []

    def attach(self, task: Any, job: str) -> None:
        """The operator goes by the name."""

    def look(self, task: Any, job: str) -> Seen:
        """Return what GetCluster says."""
        try:
            told = as_fields(_hook(task).get_cluster(cluster_name=job, timeout=SECONDS, **_place(task)))
        except Exception as error:
            if is_missing(error):
                return GONE
            raise
        state = _STATES.get(str(value(told.get("status"), "state")), WorkState.AT_WORK)
        return Seen(state, capacity=_capacity_of(dict(told["config"])) if told.get("config") else None)

    def stop(self, task: Any, job: str) -> None:
        """DeleteCluster, whose end nobody waits for here."""
        try:
            _hook(task).delete_cluster(cluster_name=job, timeout=SECONDS, **_place(task))
        except Exception as error:
            if not is_missing(error):
                raise


def _hook(task: Any) -> Any:
    from airflow.providers.google.cloud.hooks.dataproc import DataprocHook

    return DataprocHook(gcp_conn_id=task.gcp_conn_id, impersonation_chain=task.impersonation_chain)


def _place(task: Any) -> dict[str, Any]:
    return {"region": task.region, "project_id": task.project_id}


def _count(workers: Any) -> int:
    return int(value(workers, "num_instances") or 0)


def _preemptibility(workers: Any) -> str | None:
    """What is said of secondary workers, by its name; None if nothing is."""
    said = value(workers, "preemptibility")
    named = _NUMBERS.get(said, f"number {said}") if isinstance(said, int) else said
    return None if named in (None, "", "PREEMPTIBILITY_UNSPECIFIED") else str(named)


def _capacity_of(config: dict[str, Any] | None) -> CapacityType | None:
    """What the secondary workers are; Dataproc takes PREEMPTIBLE where nothing is said."""
    if config is None:
        return None
    workers = value(config, "secondary_worker_config")
    said = _preemptibility(workers) or ("PREEMPTIBLE" if _count(workers) else "NON_PREEMPTIBLE")
    return _CAPACITIES.get(said)

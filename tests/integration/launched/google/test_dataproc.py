# SPDX-License-Identifier: Apache-2.0
"""DataprocCreateClusterOperator as it is installed, made interruptible, against a Dataproc whose clusters are names."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.google")
from airflow.providers.google.cloud.hooks.dataproc import DataprocHook
from airflow.providers.google.cloud.operators.dataproc import DataprocCreateClusterOperator
from google_api.dataproc import NO_ROOM, Dataproc

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError, Interrupted

if TYPE_CHECKING:
    from google_api.server import GoogleApi

CONFIG = {"worker_config": {"num_instances": 2}, "secondary_worker_config": {"num_instances": 4}}
OURS = {"interruptible": True, "retries": 2, "system_retries": 3}


@pytest.fixture
def dataproc(google: GoogleApi) -> Dataproc:
    """A Dataproc."""
    service = Dataproc()
    google.services.append(service)
    return service


@pytest.fixture
def killer(killer_of: Any) -> Any:
    """Kills what waits for Dataproc."""
    return killer_of((DataprocHook, "wait_for_operation"))


def create(**arguments: Any) -> Any:
    given = {"task_id": "work", "project_id": "p", "region": "r", "cluster_name": "c", "cluster_config": CONFIG}
    return interruptible(DataprocCreateClusterOperator)(**{**given, **OURS, **arguments})


def asked(google: GoogleApi) -> list[str]:
    configs = [one.cluster.config for one in google.requests("CreateCluster")]
    return [config.secondary_worker_config.preemptibility.name for config in configs]


@pytest.mark.parametrize("deferrable", [False, True])
def test_no_capacity_leads_to_on_demand(attempts: Any, google: GoogleApi, dataproc: Dataproc, deferrable: bool) -> None:
    if deferrable:
        assert attempts(lambda: create(deferrable=True)).run() == "success"
        assert asked(google) == ["SPOT"]
        return
    short = attempts(create)
    dataproc.failing = NO_ROOM
    assert short.run() == "retry"
    dataproc.failing = None
    assert short.run() == "success"
    assert asked(google) == ["SPOT", "NON_PREEMPTIBLE"]
    assert short.causes == ["no_capacity", None]
    assert short.capacities == ["spot", "on-demand"]
    assert short.record.where["launched_job"] == "c"


def test_the_last_user_attempt_is_on_demand(attempts: Any, google: GoogleApi, dataproc: Dataproc) -> None:
    failing = attempts(lambda: create(retries=1))
    dataproc.failing = "Invalid value for field 'resource.machineType'"
    assert failing.run() == "retry"
    dataproc.failing = None
    assert failing.run() == "success"
    assert asked(google) == ["SPOT", "NON_PREEMPTIBLE"]
    assert failing.charges == ["user", None]


def test_a_cluster_of_another_capacity_is_never_used_again(
    attempts: Any, google: GoogleApi, dataproc: Dataproc, killer: Any
) -> None:
    lost = attempts(lambda: create(retries=1))
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: create(retries=0)
    assert lost.run() == "success"
    assert dataproc.deleted == ["c"]
    assert asked(google) == ["SPOT", "NON_PREEMPTIBLE"]
    assert lost.capacities == ["spot", "on-demand"]


def test_one_of_the_same_capacity_is(attempts: Any, google: GoogleApi, dataproc: Dataproc, killer: Any) -> None:
    lost = attempts(create)
    assert lost.run() == "killed"
    killer.armed = False
    assert lost.run() == "success"
    assert dataproc.deleted == []
    assert lost.capacities == ["spot", "spot"]
    lost.clear()
    assert lost.run() == "success"
    assert dataproc.deleted == []


def test_what_others_have_made_is_not_deleted(attempts: Any, google: GoogleApi, dataproc: Dataproc) -> None:
    assert attempts(create).run() == "success"
    on_demand = attempts(lambda: create(interruptible=False))
    assert on_demand.run() == "success"
    assert on_demand.capacities == ["spot"], "it is what it is"
    assert dataproc.deleted == []


def test_an_explicit_task_does_not_take_what_others_have_made_for_spot(
    attempts: Any, google: GoogleApi, dataproc: Dataproc, warnings_of: Any
) -> None:
    assert attempts(lambda: create(interruptible=False)).run() == "success"
    other = attempts(create)
    assert other.run() == "failed"
    assert "was not made by an earlier attempt of this task" in str(other.errors[0])
    adopted = attempts(lambda: create(interruptible=None), {"default_args": {"interruptible": True}})
    assert adopted.run() == "success"
    assert adopted.capacities == ["on-demand"]
    assert sum("was not made by an earlier attempt" in text for text in warnings_of()) == 1
    assert dataproc.deleted == []


def test_a_signal_deletes_what_is_being_made(attempts: Any, google: GoogleApi, dataproc: Dataproc) -> None:
    told = attempts(create)
    dataproc.creating = lambda cluster: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert isinstance(told.errors[0], Interrupted)
    assert dataproc.deleted == ["c"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cluster_config": {"worker_config": {"num_instances": 2}}}, "needs secondary workers"),
        ({"cluster_config": None, "virtual_cluster_config": {"a": 1}}, "virtual_cluster_config="),
        (
            {"cluster_config": {"secondary_worker_config": {"num_instances": 1, "preemptibility": "NON_PREEMPTIBLE"}}},
            "preemptibility='NON_PREEMPTIBLE'",
        ),
        (
            {
                "cluster_config": {
                    "secondary_worker_config": {
                        "num_instances": 1,
                        "instance_flexibility_policy": {"provisioning_model_mix": {"standard_capacity_base": 1}},
                    }
                }
            },
            "a mix does not tell",
        ),
    ],
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempts(lambda: create(**arguments)).parsed()


def test_a_configuration_that_the_operator_makes_is_placed_too(
    attempts: Any, google: GoogleApi, dataproc: Dataproc
) -> None:
    own = {"cluster_config": None, "num_workers": 2, "num_preemptible_workers": 3, "zone": "us-central1-a"}
    made = attempts(lambda: create(**own))
    assert made.run() == "success"
    assert asked(google) == ["SPOT"]

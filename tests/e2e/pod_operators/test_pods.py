# SPDX-License-Identifier: Apache-2.0
"""KubernetesPodOperator, sync and deferrable: where its pods run, and what the loss of one costs.

All scenarios go on at once, on one stack and one cluster; each test waits for its own. A scenario is a function that
takes a :class:`Stage` and plays; its test says what must have come of it.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.contract.play import GRACE, TASK, attempts
from e2e.pod_operators.clouds import clouds
from e2e.pod_operators.stage import NAMESPACE, Over, Stage
from kubernetes_api import KubernetesCluster, Settings
from kubernetes_api.stack import connection
from waiting import PATIENCE

from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from e2e.conftest import StartLab

    from airflow_interruptible.testing import SpotLab

pytestmark = pytest.mark.e2e

SPOT_TIMEOUT = 20  # longer than a stall of the machine that plays the cluster
SIDE_BY_SIDE = 5  # more starve the api-server on two cores
MODES = ("sync", "deferrable")
CLOUDS = ("eks", "gke")
EACH_MODE = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(scope="module")
def cluster() -> Iterator[KubernetesCluster]:
    with KubernetesCluster(Settings(namespaces=[NAMESPACE], autoscaler="karpenter")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def lab(cluster: KubernetesCluster, start_lab: StartLab) -> Iterator[SpotLab]:
    """Airflow's own tasks run here, under LocalExecutor; only the pods are in the cluster."""
    with clouds(cluster.url) as env:
        yield start_lab(
            Path(__file__).parent / "dags",
            triggerer=True,
            config={
                "core": {"dagbag_import_timeout": PATIENCE},
                "dag_processor": {"dag_file_processor_timeout": PATIENCE},
                "interruptible": {"pod_compute": "karpenter", "spot_timeout": SPOT_TIMEOUT, "system_retry_delay": 0.5},
            },
            env={**env, **connection(cluster)},
        )


# -- the scenarios


def reclaimed(stage: Stage) -> Over:
    first = stage.add_node()
    stage.begin({"1": "wait"})
    stage.pod_at_work(first)
    stage.add_node()
    stage.cluster.reclaim(first, how="eviction" if "sync" in stage.dag_id else "shutdown", notice=60)
    return stage.end()


def vanished_node(stage: Stage) -> Over:
    first = stage.add_node()
    stage.begin({"1": "wait"})
    stage.pod_at_work(first)
    stage.add_node()
    stage.cluster.reclaim(first, how="abrupt", notice=1)
    return stage.end()


def errors(stage: Stage) -> Over:
    stage.add_node()
    stage.add_node("on-demand")
    stage.begin({"1": "error", "2": "error", "3": "wait"})
    stage.pod_at_work(f"{stage.pool}-on-demand-2")
    stage.cluster.delete_pod(stage.pod_at_work(), NAMESPACE)
    return stage.end("failed")


def out_of_memory(stage: Stage) -> Over:
    stage.add_node()
    stage.begin({"1": "wait"})
    stage.cluster.oom(stage.pod_at_work(), NAMESPACE)
    return stage.end()


def deleted_by_a_person(stage: Stage) -> Over:
    stage.add_node()
    stage.begin({"1": "wait"})
    stage.cluster.delete_pod(stage.pod_at_work(), NAMESPACE)
    return stage.end()


def pressure(stage: Stage) -> Over:
    stage.add_node()
    stage.begin({"1": "wait"})
    stage.cluster.evict_by_pressure(stage.pod_at_work(), NAMESPACE)
    return stage.end()


def full_pool(stage: Stage) -> Over:
    stage.add_node("on-demand")
    stage.begin()
    return stage.end()


def worker_lost(stage: Stage) -> Over:
    """The pod outlives its Airflow worker; no system retry is left, so the next attempt is due on demand."""
    stage.add_node()
    stage.add_node("on-demand")
    stage.begin({"1": "wait"})
    pod = stage.pod_at_work()
    stage.told(1)
    stage.lab.reclaim(stage.run, TASK, grace=0)
    stage.lab.wait_until_running(stage.run, TASK, try_number=2)
    wait_until(
        lambda: stage.lab.client.logs(stage.run, TASK, 2),
        lambda log: "still runs on spot" in log,
        what="the second attempt to attach to the pod",
        timeout=PATIENCE,
    )
    told = stage.told(2)
    assert (told["capacity"], told["where"]["launched_pod"]) == ("spot", pod)
    stage.cluster.evict(pod, NAMESPACE)
    return stage.end()


def worker_lost_while_pending(stage: Stage) -> Over:
    """A pod that waits for a spot node must not be attached to by an attempt that is due on demand."""
    stage.add_node("on-demand")
    stage.begin()
    (pod,) = wait_until(stage.pods, bool, what="a pending pod", timeout=PATIENCE)
    stage.lab.reclaim(stage.run, TASK, grace=0)
    over = stage.end()
    stage.seen[pod["metadata"]["name"]] = "nowhere"
    return over


def told_to_stop(stage: Stage) -> Over:
    """The Airflow worker gets a SIGTERM: its pod is deleted, and takes its time to end."""
    stage.add_node()
    stage.begin({"1": "stubborn"})
    stage.pod_at_work()
    stage.lab.reclaim(stage.run, TASK, grace=GRACE)
    return stage.end()


def just_run(stage: Stage) -> Over:
    stage.add_node()
    stage.begin()
    return stage.end()


def mapped(stage: Stage) -> Over:
    """Index 0 fails twice, 1 does not, 2 loses its node once."""
    first = stage.add_node()
    stage.add_node("on-demand")
    stage.begin()
    for index in (0, 1):
        stage.lab.client.wait_for_state(stage.run, TASK, "success", map_index=index)
    stage.pod_at_work(first)
    stage.add_node()
    stage.cluster.reclaim(first, how="taint", notice=3)
    return stage.end(map_index=2)


SCENARIOS: Mapping[str, tuple[str, Callable[[Stage], Over]]] = {
    **{
        f"{play.__name__}-{mode}": (mode, play)
        for mode in MODES
        for play in (reclaimed, errors, out_of_memory, deleted_by_a_person, pressure, vanished_node)
    },
    **{f"full_pool-{mode}": (f"{mode}_kept", full_pool) for mode in MODES},
    **{f"reclaimed-{cloud}-{mode}": (f"{cloud}_{mode}", reclaimed) for cloud in CLOUDS for mode in MODES},
    "worker_lost": ("sync_kept", worker_lost),
    "worker_lost_while_pending": ("sync_kept", worker_lost_while_pending),
    "told_to_stop": ("unkillable", told_to_stop),
    "decorated": ("decorated", just_run),
    "mapped": ("stock", mapped),
}


@pytest.fixture(scope="module")
def playing(lab: SpotLab, cluster: KubernetesCluster) -> Iterator[dict[str, Future[Over]]]:
    """Every scenario, begun."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {
            name: pool.submit(play, Stage(lab, cluster, dag_id, play.__name__.replace("_", "-")))
            for name, (dag_id, play) in SCENARIOS.items()
        }


# -- what must have come of them


@EACH_MODE
def test_a_reclaimed_pod_is_forgiven(playing: dict[str, Future[Over]], mode: str) -> None:
    over = playing[f"reclaimed-{mode}"].result()
    assert over.column("capacity") == ["spot", "spot"], over.reasons
    assert over.column("charge") == ["system", "none"], over.reasons
    assert over.attempts[-1]["user_retries_left"] == 2
    assert over.attempts[0]["where"]["launched_pod"] in over.pods


@EACH_MODE
@pytest.mark.parametrize("cloud", CLOUDS)
def test_so_is_one_of_the_clouds_operators(playing: dict[str, Future[Over]], cloud: str, mode: str) -> None:
    over = playing[f"reclaimed-{cloud}-{mode}"].result()
    assert over.column("capacity") == ["spot", "spot"], over.reasons
    assert over.column("charge") == ["system", "none"], over.reasons
    assert over.attempts[0]["where"]["launched_pod"] in over.pods


@EACH_MODE
def test_a_node_that_vanished_is_forgiven(playing: dict[str, Future[Over]], mode: str) -> None:
    over = playing[f"vanished_node-{mode}"].result()
    assert over.column("capacity") == ["spot", "spot"], over.reasons
    assert over.column("charge") == ["system", "none"], over.reasons


@EACH_MODE
def test_the_last_user_attempt_runs_on_demand(playing: dict[str, Future[Over]], mode: str) -> None:
    over = playing[f"errors-{mode}"].result()
    assert over.column("capacity") == ["spot", "spot", "on-demand"], over.reasons
    assert over.column("charge") == ["user"] * 3, over.reasons


@EACH_MODE
def test_out_of_memory_is_the_author_s(playing: dict[str, Future[Over]], mode: str) -> None:
    over = playing[f"out_of_memory-{mode}"].result()
    assert over.column("capacity") == ["spot", "spot"], over.reasons
    assert over.column("cause") == ["application", None], over.reasons


@EACH_MODE
def test_a_pod_that_a_person_deleted_is_charged_to_the_author(playing: dict[str, Future[Over]], mode: str) -> None:
    """Nothing in the cluster tells a person's ``kubectl delete`` from the author's own."""
    over = playing[f"deleted_by_a_person-{mode}"].result()
    assert over.column("charge") == ["user", "none"], over.reasons


@EACH_MODE
def test_pressure_of_the_node_is_forgiven(playing: dict[str, Future[Over]], mode: str) -> None:
    over = playing[f"pressure-{mode}"].result()
    assert over.column("cause") == ["infrastructure", None], over.reasons
    assert over.column("charge") == ["system", "none"], over.reasons


@EACH_MODE
def test_a_full_spot_pool_leads_to_on_demand(
    playing: dict[str, Future[Over]], cluster: KubernetesCluster, mode: str
) -> None:
    """Within ``spot_timeout``; and the pod that never started is gone, although the author keeps pods."""
    over = playing[f"full_pool-{mode}"].result()
    assert over.column("capacity") == ["spot", "on-demand"], over.reasons
    assert over.column("cause") == ["no_capacity", None], over.reasons
    assert over.column("charge") == ["system", "none"], over.reasons
    first = over.run.run_id and over.attempts[0]["where"]["launched_pod"]
    assert first not in {pod["metadata"]["name"] for pod in cluster.pods(NAMESPACE)}


def test_a_live_pod_is_gone_on_with_wherever_it_runs(playing: dict[str, Future[Over]]) -> None:
    """Attempt 2 was due on demand and found the spot pod alive: it ran on spot, and was lost there as well."""
    over = playing["worker_lost"].result()
    assert over.column("capacity")[:2] == ["spot", "spot"], over.reasons
    assert over.attempts[0]["rule"] == "airflow/work-outlived-worker"
    assert len({attempt["where"]["launched_pod"] for attempt in over.attempts[:2]}) == 1
    assert over.attempts[1]["where"]["launched_node"] in over.pods.values()
    assert over.attempts[2]["capacity"] == "on-demand"
    assert over.attempts[2]["where"]["launched_pod"] not in over.pods


def test_a_pod_that_waits_for_another_capacity_is_not(
    playing: dict[str, Future[Over]], cluster: KubernetesCluster
) -> None:
    over = playing["worker_lost_while_pending"].result()
    assert over.column("capacity") == ["spot", "on-demand"], over.reasons
    assert not over.pods.keys() & {pod["metadata"]["name"] for pod in cluster.pods(NAMESPACE)}


def test_a_pod_that_is_ending_is_not(playing: dict[str, Future[Over]]) -> None:
    over = playing["told_to_stop"].result()
    assert over.column("capacity") == ["spot", "spot"], over.reasons
    assert over.column("charge") == ["system", "none"], over.reasons
    assert over.attempts[1]["where"]["launched_pod"] not in over.pods


def test_a_decorated_function_runs_on_spot(playing: dict[str, Future[Over]]) -> None:
    over = playing["decorated"].result()
    assert over.column("capacity") == ["spot"], over.reasons


def test_each_index_of_a_mapped_task_has_its_own_budgets(playing: dict[str, Future[Over]], lab: SpotLab) -> None:
    over = playing["mapped"].result()
    indexes = [attempts(lab, over.run, map_index=index) for index in range(3)]
    capacities = [[attempt["capacity"] for attempt in index] for index in indexes]
    assert capacities == [["spot", "spot", "on-demand"], ["spot"], ["spot", "spot"]]
    assert [index[-1]["user_retries_left"] for index in indexes] == [0, 2, 2]
    assert [index[-1]["system_retries_left"] for index in indexes] == [3, 3, 2]

# SPDX-License-Identifier: Apache-2.0
"""Machines that can be lost without a word under each executor: Kubernetes, ECS, and Celery on EC2.

What runs on them are the stock executors' own workers, as processes of this machine; the services that know of them
are those of the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psutil

from airflow_interruptible.testing.metadata import FakeEC2Metadata
from airflow_interruptible.testing.processes import kill_all
from benchmarks.ec2 import Ec2

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # as pytest does: the services name each other by it

from aws_api.ecs import Ecs
from aws_api.server import AwsApi, environment_of
from kubernetes_api import KubernetesCluster, Settings
from kubernetes_api.settings import image_environment
from kubernetes_api.stack import WORKER_CONTAINER, connection, executor_section
from redis_broker import redis_broker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.testing import DagRun, SpotLab

NODE_SECONDS = 5.0
"""How long a node object outlives its machine. The cloud's controller takes it away when it finds the instance gone."""

QUARANTINE = 40.0
"""How long Kubernetes waits with the pods of a node that is gone."""

_NAMESPACE = "airflow"
_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "replaced", "namespace": _NAMESPACE},
    "spec": {
        "restartPolicy": "Never",
        "containers": [WORKER_CONTAINER],
    },
}


class Machines(Protocol):
    """The machines under one executor."""

    def begin(self, lab: SpotLab, count: int) -> None:
        """Have so many, and let the workers on them reach the stack."""

    def lose(self, lab: SpotLab, run: DagRun, task_id: str) -> None:
        """Let the machine of a run's task vanish, without a word."""


class Nodes:
    """Nodes of Kubernetes that take one pod each."""

    def __init__(self, cluster: KubernetesCluster) -> None:
        self._cluster = cluster

    def begin(self, lab: SpotLab, count: int) -> None:
        """Add nodes; as many again for the pods that come after the lost ones."""
        self._cluster.set_image_env(image_environment(lab.stack.env))
        for number in range(2 * count):
            self._cluster.add_node(f"node-{number}", preset="karpenter-spot", pods=1)

    def lose(self, lab: SpotLab, run: DagRun, task_id: str) -> None:  # noqa: ARG002
        """Switch the node off under the run's only pod."""
        pods = self._cluster.pods(_NAMESPACE, labelSelector=f"dag_id={run.dag_id}")
        (pod,) = [pod for pod in pods if pod["metadata"]["annotations"]["run_id"] == run.run_id]
        self._cluster.reclaim(pod["spec"]["nodeName"], how="abrupt", notice=NODE_SECONDS)


class EcsTasks:
    """Tasks of ECS on spot capacity."""

    def __init__(self, ecs: Ecs) -> None:
        self._ecs = ecs

    def begin(self, lab: SpotLab, count: int) -> None:  # noqa: ARG002
        """ECS finds machines by itself."""
        self._ecs.env = image_environment(lab.stack.env)

    def lose(self, lab: SpotLab, run: DagRun, task_id: str) -> None:  # noqa: ARG002
        """Take the capacity back at once."""
        words = (f'"{run.dag_id}"', f'"{run.run_id}"')
        (task,) = [task for task in self._ecs.tasks.values() if all(word in _command(task) for word in words)]
        task.vanish("SpotInterruption", "Your Spot Task was interrupted.")


def _command(task: Any) -> str:
    return json.dumps(task.request["overrides"]).replace("\\", "").replace(" ", "")


class CeleryWorkers:
    """Workers of Celery that take one task each, every one on an EC2 instance of its own."""

    def __init__(self, ec2: Ec2, stack: ExitStack) -> None:
        self._ec2, self._stack = ec2, stack
        self._workers: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self, lab: SpotLab, count: int) -> None:
        """Start workers; two more for what comes after the lost ones."""
        for number in range(count + 2):
            name = f"i-0{number:016x}"
            cloud = self._stack.enter_context(FakeEC2Metadata(instance_id=name))
            env = {key: value for key, value in lab.stack.env.items() if key != "AWS_EC2_METADATA_DISABLED"}
            env |= {**cloud.env, "AIRFLOW__INTERRUPTIBLE__NOTICES": "True"}
            options = ["--concurrency", "1", "--celery-hostname", f"{name}@%h", "--skip-serve-logs"]
            log = self._stack.enter_context((lab.stack.home / f"{name}.log").open("wb"))
            self._workers[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", "celery", "worker", *options, "--without-gossip", "--without-mingle"],
                env=env, cwd=lab.stack.home, stdout=log, stderr=log,
            )  # fmt: skip
            self._stack.callback(_kill, self._workers[name].pid)
            self._ec2.instances[name] = True

    def lose(self, lab: SpotLab, run: DagRun, task_id: str) -> None:
        """Terminate the instance under the worker whose descendant the task's process is."""
        above = {process.pid for process in lab.machine(run, task_id).task.parents()}
        (name,) = [name for name, worker in self._workers.items() if worker.pid in above]
        _kill(self._workers[name].pid)
        self._workers[name].wait()
        self._ec2.instances[name] = False


def _kill(pid: int) -> None:
    """End a process and all that came of it, without a word."""
    try:
        process = psutil.Process(pid)
        kill_all([process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return


@contextmanager
def machines(database: str) -> Iterator[tuple[Mapping[str, Machines], dict[str, Any]]]:
    """Start all services; yield the machines by the word in the Dags' names, and what the stack has to know.

    :param database: where Celery keeps its results.
    """
    settings = Settings(namespaces=[_NAMESPACE], pod_gc_quarantine=QUARANTINE)
    ecs = Ecs()
    with (
        ExitStack() as workers,
        KubernetesCluster(settings) as cluster,
        AwsApi([ecs]) as api,
        Ec2() as ec2,
        redis_broker() as broker,
    ):
        workers.callback(ecs.close)
        config = {
            "kubernetes_executor": executor_section(cluster, _NAMESPACE, _POD),
            "celery": {"broker_url": broker, "result_backend": f"db+{database}"},
            "aws_ecs_executor": {
                "cluster": "c",
                "container_name": "main",
                "task_definition": "d",
                "subnets": "s",
            },
        }
        env = {**connection(cluster), **environment_of(api), "AWS_ENDPOINT_URL_EC2": ec2.url}
        yield (
            {"kubernetes": Nodes(cluster), "ecs": EcsTasks(ecs), "celery": CeleryWorkers(ec2, workers)},
            {"config": config, "env": env},
        )

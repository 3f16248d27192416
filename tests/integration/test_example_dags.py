# SPDX-License-Identifier: Apache-2.0
"""Every example Dag is parsed as the Dag processor parses it, and run to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aws_api.batch import Batch
from aws_api.ecs import Ecs
from aws_api.emr import Emr
from aws_api.emr_serverless import EmrServerless
from aws_api.glue import Glue
from aws_api.sagemaker import SageMaker
from aws_api.server import AwsApi, environment_of
from databricks_api import Databricks
from databricks_api import environment_of as environment_of_databricks
from google_api.batch import CloudBatch
from google_api.dataproc import Dataproc
from google_api.server import GoogleApi
from google_api.server import environment_of as environment_of_google
from google_api.vertex import Vertex
from kubernetes_api import KubernetesCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

DAGS = Path(__file__).parents[2] / "dags"
CONFS = {"example_interruptible_training": {"seconds": 1}}

RUN_ALL = f"""
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({str(DAGS)!r})
confs = {CONFS!r}
states = {{dag_id: str(dag.test(run_conf=confs.get(dag_id)).state) for dag_id, dag in bag.dags.items()}}
print("RESULT", json.dumps([{{str(name): str(error) for name, error in bag.import_errors.items()}}, states]))
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[KubernetesCluster]:
    """Spot nodes of every kind that the examples of pod operators name."""
    with KubernetesCluster() as cluster:
        for preset in ("karpenter-spot", "eks-spot", "gke-spot", "gke-preemptible", "aks-spot"):
            cluster.add_node(preset, preset=preset)
        cluster.add_node("own-spot", labels={"pool": "spot"})
        yield cluster


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsApi]:
    """The services of AWS that examples launch work on."""
    ecs, batch, sagemaker = Ecs(), Batch(), SageMaker()
    sagemaker.watching = lambda job: job.end("Completed")
    emr, serverless, glue = Emr(), EmrServerless(), Glue()
    emr.watching = lambda cluster: cluster.end("TERMINATED", "ALL_STEPS_COMPLETED")
    serverless.watching = lambda run: run.end("SUCCESS")
    glue.watching = lambda run: run.end("SUCCEEDED")
    with AwsApi([ecs, batch, sagemaker, emr, serverless, glue]) as api:
        yield api
    ecs.close()
    batch.close()


@pytest.fixture(scope="module")
def others() -> Iterator[dict[str, str]]:
    """What leads to the services of Google Cloud and to the Databricks that examples launch work on."""
    google, batch, vertex = GoogleApi(), CloudBatch(), Vertex()
    google.services += [batch, vertex, Dataproc()]
    with Databricks() as databricks:
        yield {**environment_of_google(google), **environment_of_databricks(databricks)}
    batch.close()
    vertex.close()
    google.close()


@pytest.fixture(scope="module")
def result(
    tmp_path_factory: pytest.TempPathFactory, cluster: KubernetesCluster, aws: AwsApi, others: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Import errors by file, and the state of a run by Dag."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        **os.environ,
        **environment_of(aws),
        **others,
        "AIRFLOW_HOME": str(home),
        "KUBECONFIG": str(cluster.kubeconfig),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    printed = ""
    for command in (["-m", "airflow", "db", "migrate"], ["-c", RUN_ALL]):
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=1800, check=False
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed
    errors, states = json.loads(
        next(line for line in printed.splitlines() if line.startswith("RESULT"))[len("RESULT ") :]
    )
    return errors, states


def test_no_example_fails_to_import(result: tuple[dict[str, str], dict[str, str]]) -> None:
    assert result[0] == {}


@pytest.mark.parametrize("name", [path.stem for path in sorted(DAGS.glob("example_*.py"))])
def test_an_example_runs_to_its_end(result: tuple[dict[str, str], dict[str, str]], name: str) -> None:
    assert result[1][name] == "success"


@pytest.mark.parametrize("path", sorted(DAGS.glob("example_*.py")), ids=lambda path: path.stem)
def test_an_example_says_what_why_and_when(path: Path) -> None:
    text = path.read_text()
    assert "doc_md=__doc__" in text
    for word in ("**What.**", "**Why.**", "**When.**", "**Prerequisites.**"):
        assert word in text

# SPDX-License-Identifier: Apache-2.0
"""How an Airflow stack is told of a cluster: its connection, and the section of its executor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes_api.handle import KubernetesCluster

WORKER_CONTAINER: dict[str, Any] = {
    "name": "base",
    "image": "airflow:test",
    "env": [
        {"name": "KUBERNETES_SERVICE_HOST", "value": "set in every pod"},
        {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ],
}
"""The container of a pod template, in which a worker of Airflow runs and knows its node."""


def connection(cluster: KubernetesCluster) -> dict[str, str]:
    """Return the variable that holds the connection which operators and hooks use unless told otherwise."""
    said = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}}
    return {"AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(said)}


def executor_section(cluster: KubernetesCluster, namespace: str, pod_template: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``[kubernetes_executor]`` of a stack whose workers are pods of the cluster."""
    template = cluster.home / "pod_template.json"
    template.write_text(json.dumps(pod_template))
    return {
        "namespace": namespace,
        "pod_template_file": template,
        "worker_container_repository": "airflow",
        "worker_container_tag": "test",
        "in_cluster": False,
        "config_file": cluster.kubeconfig,
        "worker_pods_creation_batch_size": 16,
    }

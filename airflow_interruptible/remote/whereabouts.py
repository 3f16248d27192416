# SPDX-License-Identifier: Apache-2.0
"""Where this process runs, as far as it can be told for nothing: the environment and a few tiny files, no request.

Kept in the ledger, for the next attempt to look there if this one vanishes. Names only, never a credential: what does
not look like a name is left out. The surprising fact: inside a container the machine's firmware tables are still
readable, and on Nitro instances one of them is the instance's name.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9](?:[\w.:/@-]{0,250})")
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_FARGATE = re.compile(r"https?://[\w.:]+/v4/([0-9a-f]{32})-\d+/?")
"""On Fargate the container's name begins with the task's; on EC2 it is an arbitrary one.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-examples.html"""

_MAX_FILE = 4096

_NAMES: Mapping[str, tuple[str, ...]] = {
    # https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
    "batch_job": ("AWS_BATCH_JOB_ID",),
    "batch_attempt": ("AWS_BATCH_JOB_ATTEMPT",),
    "batch_queue": ("AWS_BATCH_JQ_NAME",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    # Ours, for a platform team that knows. From Kubernetes 1.33 on the downward API can give the zone, since that label
    # of the node is copied to the pod. https://www.kubernetes.dev/resources/keps/4742/
    "zone": ("AIRFLOW_INTERRUPTIBLE_ZONE",),
    "instance_type": ("AIRFLOW_INTERRUPTIBLE_INSTANCE_TYPE",),
    # https://cloud.google.com/batch/docs and https://cloud.google.com/run/docs/container-contract#env-vars
    "google_batch_job": ("BATCH_JOB_UID",),
    "google_batch_task": ("BATCH_TASK_INDEX",),
    "google_batch_attempt": ("BATCH_TASK_RETRY_ATTEMPT",),
    "cloud_run_execution": ("CLOUD_RUN_EXECUTION",),
    "cloud_run_attempt": ("CLOUD_RUN_TASK_ATTEMPT",),
}
_KUBERNETES: Mapping[str, tuple[str, ...]] = {
    "pod": ("POD_NAME", "K8S_POD_NAME", "MY_POD_NAME", "HOSTNAME"),
    "namespace": ("POD_NAMESPACE", "K8S_NAMESPACE", "MY_POD_NAMESPACE", "AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE"),
    "node": ("NODE_NAME", "K8S_NODE_NAME", "KUBE_NODE_NAME", "MY_NODE_NAME"),
}
"""The downward API has no names of its own; these are the ones in use.
https://kubernetes.io/docs/tasks/inject-data-application/environment-variable-expose-pod-information/"""

_SERVICE_ACCOUNT = "var/run/secrets/kubernetes.io/serviceaccount/namespace"
_FIRMWARE = "sys/devices/virtual/dmi/id"


def here(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> dict[str, str]:
    """Return where this process runs. Never raises; what cannot be told is left out.

    :param environ: the environment.
    :param root: the file system.
    :return: some of ``celery_worker``; ``pod``, ``namespace``, ``node``; ``ecs_task``, ``ecs_cluster``; ``batch_job``,
        ``batch_attempt``, ``batch_queue``; ``instance_id`` (EC2), ``vm`` (Compute Engine), ``zone``, ``instance_type``,
        ``region`` and the names of Google's jobs.
    """
    try:
        named = {**_named(environ, _NAMES), **_celery()}
        found = {**named, **_pod(environ, root), **_ecs(environ), **_machine(environ, root)}
        return {key: value for key, value in found.items() if _NAME.fullmatch(value)}
    except Exception:
        log.debug("Where this process runs cannot be told.", exc_info=True)
        return {}


def _named(environ: Mapping[str, str], names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    first = {
        key: next((environ[name] for name in variables if environ.get(name)), "") for key, variables in names.items()
    }
    return {key: value for key, value in first.items() if value}


def _celery() -> dict[str, str]:
    """The name of the Celery worker whose pool this process was forked from, as its task still knows it.

    https://docs.celeryq.dev/en/stable/userguide/tasks.html#task-request
    """
    task = getattr(sys.modules.get("celery"), "current_task", None)
    name = getattr(getattr(task, "request", None), "hostname", None)
    return {"celery_worker": name} if isinstance(name, str) else {}


def _pod(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ ."""
    if not environ.get("KUBERNETES_SERVICE_HOST"):
        return {}
    namespace = _read(root / _SERVICE_ACCOUNT)
    return {**({"namespace": namespace} if namespace else {}), **_named(environ, _KUBERNETES)}


def _ecs(environ: Mapping[str, str]) -> dict[str, str]:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-metadata.html ."""
    on_fargate = _FARGATE.fullmatch(environ.get("ECS_CONTAINER_METADATA_URI_V4", ""))
    if on_fargate:
        return {"ecs_task": on_fargate[1]}
    file = environ.get("ECS_CONTAINER_METADATA_FILE")
    try:
        told = json.loads(_read(Path(file))) if file else {}
    except ValueError:
        told = {}
    names = {"ecs_task": told.get("TaskARN"), "ecs_cluster": told.get("Cluster")} if isinstance(told, dict) else {}
    return {key: value for key, value in names.items() if isinstance(value, str)}


def _machine(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """The machine, by its firmware: what a cloud wrote there, no program inside could.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html
    https://cloud.google.com/compute/docs/instances/detect-compute-engine
    """
    firmware = root / _FIRMWARE
    if _read(firmware / "sys_vendor") == "Amazon EC2":
        tag = _read(firmware / "board_asset_tag")
        return {"instance_id": tag} if _INSTANCE.fullmatch(tag) else {}
    if _read(firmware / "product_name") != "Google Compute Engine":
        return {}
    in_kubernetes = bool(environ.get("KUBERNETES_SERVICE_HOST"))
    vm = _named(environ, _KUBERNETES).get("node") if in_kubernetes else _read(root / "etc/hostname")
    return {"vm": vm.partition(".")[0]} if vm else {}


def _read(path: Path) -> str:
    """The beginning of a small file, or nothing."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_FILE).strip()
    except OSError:
        return ""

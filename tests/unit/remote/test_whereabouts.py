# SPDX-License-Identifier: Apache-2.0
"""Where a process runs, from an environment and a file system of our own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.remote import here

if TYPE_CHECKING:
    from pathlib import Path

IN_CLUSTER = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "work-x1"}


@pytest.fixture
def root(tmp_path: Path) -> Any:
    """``root(**{"etc/hostname": "vm-1"})``: a file system with these files."""

    def build(**files: str) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n")
        return tmp_path

    return build


FIRMWARE = "sys/devices/virtual/dmi/id"
EC2 = {f"{FIRMWARE}/sys_vendor": "Amazon EC2", f"{FIRMWARE}/board_asset_tag": "i-0af01c0123456789a"}
GCE = {f"{FIRMWARE}/product_name": "Google Compute Engine", "etc/hostname": "vm-1.c.project.internal"}
SERVICE_ACCOUNT = {"var/run/secrets/kubernetes.io/serviceaccount/namespace": "airflow"}


def test_nowhere_in_particular(root: Any) -> None:
    assert here({"HOSTNAME": "laptop", "AWS_SECRET_ACCESS_KEY": "s3cret"}, root()) == {}


@pytest.mark.parametrize(
    ("environ", "files", "where"),
    [
        (IN_CLUSTER, SERVICE_ACCOUNT, {"pod": "work-x1", "namespace": "airflow"}),
        (
            {**IN_CLUSTER, "POD_NAME": "p", "POD_NAMESPACE": "ns", "NODE_NAME": "n"},
            SERVICE_ACCOUNT,
            {"pod": "p", "namespace": "ns", "node": "n"},
        ),
        (
            {"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/" + "c" * 32 + "-2495160603"},
            {},
            {"ecs_task": "c" * 32},
        ),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/0179a02d-1111-4444-aaaa-112233445566"}, {}, {}),
        (
            {
                "AWS_BATCH_JOB_ID": "j-1:3",
                "AWS_BATCH_JOB_ATTEMPT": "2",
                "AWS_BATCH_JQ_NAME": "spot",
                "AWS_REGION": "eu-west-1",
            },
            {},
            {"batch_job": "j-1:3", "batch_attempt": "2", "batch_queue": "spot", "region": "eu-west-1"},
        ),
        (
            {"BATCH_JOB_UID": "job-1", "BATCH_TASK_INDEX": "0"},
            {},
            {"google_batch_job": "job-1", "google_batch_task": "0"},
        ),
        ({}, EC2, {"instance_id": "i-0af01c0123456789a"}),
        ({}, {**EC2, f"{FIRMWARE}/sys_vendor": "QEMU"}, {}),
        ({}, {**EC2, f"{FIRMWARE}/board_asset_tag": "Not Specified"}, {}),
        ({}, GCE, {"vm": "vm-1"}),
        ({**IN_CLUSTER, "NODE_NAME": "gke-a"}, GCE, {"pod": "work-x1", "node": "gke-a", "vm": "gke-a"}),
        (IN_CLUSTER, GCE, {"pod": "work-x1"}),
    ],
)
def test_it_tells_what_the_environment_and_the_firmware_tell(
    environ: dict[str, str], files: dict[str, str], where: dict[str, str], root: Any
) -> None:
    assert here(environ, root(**files)) == where


def test_the_file_that_the_ecs_agent_writes(tmp_path: Path) -> None:
    file = tmp_path / "metadata"
    file.write_text(json.dumps({"TaskARN": "arn:aws:ecs:us-east-1:1:task/c/t", "Cluster": "c", "Ports": []}))
    where = here({"ECS_CONTAINER_METADATA_FILE": str(file)}, tmp_path)

    assert where == {"ecs_task": "arn:aws:ecs:us-east-1:1:task/c/t", "ecs_cluster": "c"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"TaskARN": 3}', "\x00\xff" * 9000])
def test_a_file_that_is_something_else(content: str, tmp_path: Path) -> None:
    file = tmp_path / "metadata"
    file.write_text(content)
    assert here({"ECS_CONTAINER_METADATA_FILE": str(file)}, tmp_path) == {}


@pytest.mark.parametrize("value", ["a b", "{{ secret }}", "x" * 300, "-", "pass=word", "\n"])
def test_what_does_not_look_like_a_name_is_left_out(value: str, root: Any) -> None:
    assert here({"AWS_BATCH_JOB_ID": value}, root()) == {}


@pytest.mark.parametrize("environ", [None, 3, {"KUBERNETES_SERVICE_HOST": 3, "HOSTNAME": 5}])
def test_a_hostile_environment_ends_here(environ: Any, root: Any) -> None:
    assert here(environ, root()) == {}

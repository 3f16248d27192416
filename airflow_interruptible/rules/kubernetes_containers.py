# SPDX-License-Identifier: Apache-2.0
"""Kubernetes containers: why one waits, why it ended, its exit code. The weakest of the Kubernetes rules.

The trap: exit code 137 has a dozen senders, and a program that handles SIGTERM exits 0 or 1.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.rules import exits
from airflow_interruptible.rules.kubernetes import ADMISSION, DOCS, LIFECYCLE, SOURCE

IMAGES = f"{DOCS}/concepts/containers/images/"
RUNTIME = f"{SOURCE}/kubelet/kuberuntime/kuberuntime_container.go"

EXIT = "terminated.exitCode | containers.exitCode | exitCode | exit_code"

rule = Table("k8s", ("k8s", "eks", "gke", "aks"), LIFECYCLE)

RULES = (
    rule(
        "registry-throttled",
        {
            "waiting.reason": ("ErrImagePull", "ImagePullBackOff"),
            "waiting.message": says(
                r".*(?:toomanyrequests|429 Too Many Requests|HTTP 429|ThrottlingException|pull QPS exceeded).*"
            ),
        },
        Cause.INFRASTRUCTURE,
        "the image registry refused for too many requests",
        source=IMAGES,
    ),
    rule(
        "registry-failed",
        {
            "waiting.reason": ("ErrImagePull", "ImagePullBackOff"),
            "waiting.message": says(
                r".*\b50[0234] (?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out).*"
            ),
        },
        Cause.INFRASTRUCTURE,
        "the image registry failed",
        source=IMAGES,
    ),
    rule(
        "registry-unavailable",
        {"waiting.reason": "RegistryUnavailable"},
        Cause.INFRASTRUCTURE,
        "the image registry did not answer",
        source=f"{SOURCE}/kubelet/images/types.go",
    ),
    rule(
        "image",
        {
            "waiting.reason | reason": words("""
                ErrImagePull ImagePullBackOff InvalidImageName ErrImageNeverPull ImageInspectError
                SignatureValidationFailed
            """)
        },
        Cause.APPLICATION,
        "the image could not be used",
        source=IMAGES,
    ),
    rule(
        "container-config",
        {
            "waiting.reason | reason": words("""
                CreateContainerConfigError CreateContainerError RunContainerError CrashLoopBackOff PreCreateHookError
                PreStartHookError PostStartHookError RunInitContainerError VerifyNonRootError
            """)
        },
        Cause.APPLICATION,
        "the container could not be started as the pod describes it",
        source=RUNTIME,
    ),
    rule(
        "cannot-run",
        {"terminated.reason | reason": ("ContainerCannotRun", "StartError")},
        Cause.APPLICATION,
        "the container's command could not be started",
    ),
    rule(
        "not-supported",
        {
            "reason": words("""
                PodOSSelectorNodeLabelDoesNotMatch PodOSNotSupported SysctlForbidden AppArmor
                SupplementalGroupsPolicyNotSupported InitContainerRestartPolicyForbidden
            """)
        },
        Cause.APPLICATION,
        "the pod asks for what the node does not support",
        source=ADMISSION,
    ),
    rule("own-exit", {EXIT: exits.OWN}, Cause.APPLICATION, "the container exited with an error of its own"),
    rule(
        "status-unknown",
        {"terminated.reason": "ContainerStatusUnknown"},
        Cause.INFRASTRUCTURE,
        "the kubelet could not find the container again after the node had been lost",
        source=f"{SOURCE}/kubelet/status/status_manager.go",
    ),
    rule(
        "phase-unknown",
        {"phase": "Unknown"},
        Cause.INFRASTRUCTURE,
        "the pod's node does not answer",
    ),
    rule(
        "node-broken",
        {
            " | ".join(
                f"conditions.{kind}.True.status"
                for kind in words("""
                    KernelDeadlock ReadonlyFilesystem FilesystemCorruptionProblem KubeletProblem ContainerRuntimeProblem
                    OutOfDisk NetworkUnavailable
                """)
            ): "True"
        },
        Cause.INFRASTRUCTURE,
        "the node is broken",
        source="https://learn.microsoft.com/azure/aks/node-problem-detector",
    ),
    rule(
        "signalled",
        {EXIT: exits.SIGNALLED},
        Cause.UNKNOWN,
        "the container was ended by a signal, and nothing says who sent it",
    ),
)

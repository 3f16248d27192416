# SPDX-License-Identifier: Apache-2.0
"""Databricks: every ``TerminationReason`` code of clusters and ``TerminationDetails`` code of runs.

The trap: ``CLOUD_PROVIDER_SHUTDOWN`` and ``DRIVER_UNRESPONSIVE`` are what a lost spot driver looks like, and what a
person or a full heap looks like, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.core.surface import Surface, reading
from airflow_interruptible.rules.azure import SPOT_QUOTA
from airflow_interruptible.rules.databricks_codes import AUTHORS, EITHER, NO_CAPACITY, PLATFORM
from airflow_interruptible.rules.ec2_states import INTERRUPTED
from airflow_interruptible.rules.gce import SPOT_QUOTA_INSIDE

if TYPE_CHECKING:
    import re

CLUSTER_ENDED = (
    r"(?:(?:Task \S{1,200} failed with message: )?Cluster \S{1,80} was terminated(?:\. )?"
    r"(?: while waiting on it to be ready: Cluster \S{1,80} is in unexpected state Terminated: )?"
    r"|Unexpected failure while waiting for the cluster \(\S{1,80}\) to be ready\.\s*Cause Unexpected state for cluster"
    r" \(\S{1,80}\): )?(?:Reason: )?"
)
"""How Databricks begins a message that says why a cluster ended. What follows is ``CODE (TYPE)`` and parameters."""


def parameter(name: str, values: str) -> re.Pattern[str]:
    """One of the parameters that follow the code in such a message, where its value is one of the documented."""
    return reading(
        rf"{CLUSTER_ENDED}[A-Z][A-Z0-9_]+ ?\([A-Z_]+\)[.:].*\b{name}: ?(?P<parameters__{name}>{values})(?![\w.-]).*"
    )


SURFACE = Surface(
    services={"databricks": ("azure-databricks", "azuredatabricks", "aws-databricks")},
    envelopes=("cluster", "run", "tasks", "status", "state", "body", "data"),
    aliases={"details.reason.code": "termination_reason.code", "details.reason.type": "termination_reason.type"},
    readings=(
        reading(
            rf"{CLUSTER_ENDED}"
            r"(?P<code>[A-Z][A-Z0-9]*_[A-Z0-9_]+|CANCELED|INACTIVITY|UNKNOWN)"
            r"(?: ?\((?P<type>[A-Z_]+)\)(?P<parameters__message>.*)|: .*|\.)?"
        ),
        parameter("aws_instance_state_reason", r"(?:Server|Client)\.\w+(?:\.\w+)?"),
        parameter("aws_spot_request_status", r"[a-z]+(?:-[a-z]+){1,6}"),
        parameter("aws_api_error_code", r"[A-Z]\w+"),
        parameter("azure_error_code", r"[A-Z]\w+"),
    ),
    read=("statemessage",),
    capacity={
        f"{cloud}_attributes.availability": {
            "SPOT": CapacityType.SPOT,
            "SPOT_AZURE": CapacityType.SPOT,
            "PREEMPTIBLE_GCP": CapacityType.SPOT,
            "ON_DEMAND": CapacityType.ON_DEMAND,
            "ON_DEMAND_AZURE": CapacityType.ON_DEMAND,
            "ON_DEMAND_GCP": CapacityType.ON_DEMAND,
        }
        for cloud in ("aws", "azure", "gcp")
    },
)

SDK = "https://databricks-sdk-py.readthedocs.io/en/latest/dbdataclasses"
CLUSTER_CODES = f"{SDK}/compute.html#databricks.sdk.service.compute.TerminationReasonCode"
CLUSTER_TYPES = f"{SDK}/compute.html#databricks.sdk.service.compute.TerminationReasonType"
RUN_CODES = f"{SDK}/jobs.html#databricks.sdk.service.jobs.TerminationCodeCode"
RUN_STATES = f"{SDK}/jobs.html#databricks.sdk.service.jobs.RunResultState"

CODE = "termination_reason.code | code"
TYPE = "termination_reason.type | termination_details.type | type"
RUN_CODE = "termination_details.code | code"
PARAMETERS = "https://docs.databricks.com/dev-tools/api/latest/clusters.html#terminationparameter"


PLACES = ("termination_reason.", "details.reason.", "")
"""Where clusters, their events and messages say why one ended."""


def _of(*parameters: str) -> str:
    return " | ".join(f"{place}parameters.{name}" for name in parameters for place in PLACES)


STATE_REASON, SPOT_STATUS = _of("aws_instance_state_reason"), _of("aws_spot_request_status")
LAUNCH_MESSAGE = (
    _of(
        "azure_error_message",
        "aws_error_message",
        "gcp_error_message",
        "aws_api_error_code",
        "databricks_error_message",
    )
    + " | parameters.message"
)
LAUNCH_ERROR = _of(
    "aws_api_error_code", "azure_error_code", "gcp_error_code", "aws_spot_request_status", "aws_spot_request_fault_code"
)

rule = Table("databricks", ("databricks",), CLUSTER_CODES)

RULES = (
    rule(
        "spot",
        {CODE: "SPOT_INSTANCE_TERMINATION"},
        Cause.SPOT_INTERRUPTION,
        "the cloud took the driver's spot instance back",
    ),
    rule(
        "shut-down-for-spot",
        {CODE: "CLOUD_PROVIDER_SHUTDOWN", STATE_REASON: says(r"Server\.SpotInstance(?:Termination|Shutdown)\b.*")},
        Cause.SPOT_INTERRUPTION,
        "EC2 took the driver's Spot instance back",
        source=PARAMETERS,
    ),
    rule(
        "shut-down-by-status",
        {CODE: "CLOUD_PROVIDER_SHUTDOWN", SPOT_STATUS: INTERRUPTED},
        Cause.SPOT_INTERRUPTION,
        "EC2 took the driver's Spot instance back",
        source=PARAMETERS,
    ),
    rule(
        "shut-down-by-person",
        {CODE: "CLOUD_PROVIDER_SHUTDOWN", STATE_REASON: says(r"Client\.UserInitiatedShutdown\b.*")},
        Cause.USER_ACTION,
        "somebody ended the driver's instance through the API of the cloud",
        source=PARAMETERS,
    ),
    rule(
        "cancelled-flag",
        {"user_cancelled_or_timedout": "True", "result_state": "CANCELED"},
        Cause.USER_ACTION,
        "somebody cancelled the run, and what became of the cluster follows from it",
        source=RUN_STATES,
    ),
    rule(
        "spot-quota",
        {
            CODE: words("""
                CLOUD_PROVIDER_LAUNCH_FAILURE AZURE_QUOTA_EXCEEDED_EXCEPTION AZURE_OPERATION_NOT_ALLOWED_EXCEPTION
                GCP_QUOTA_EXCEEDED GCP_RESOURCE_QUOTA_EXCEEDED AWS_RESOURCE_QUOTA_EXCEEDED
            """),
            LAUNCH_MESSAGE: says(
                SPOT_QUOTA
                + r"|"
                + SPOT_QUOTA_INSIDE
                + r"|.{0,200}\b(?:Max spot instance count|MaxSpotInstanceCount)\b.*"
            ),
        },
        Cause.NO_CAPACITY,
        "the quota of spot machines is used up, and on-demand ones have another",
        source=PARAMETERS,
    ),
    rule(
        "launch-no-capacity",
        {
            CODE: "CLOUD_PROVIDER_LAUNCH_FAILURE",
            LAUNCH_ERROR: words("""
                InsufficientInstanceCapacity UnfulfillableCapacity MaxSpotInstanceCountExceeded SpotMaxPriceTooLow
                ZONE_RESOURCE_POOL_EXHAUSTED ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS SkuNotAvailable AllocationFailed
                ZonalAllocationFailed OverconstrainedAllocationRequest capacity-not-available
                capacity-oversubscribed price-too-low
            """),
        },
        Cause.NO_CAPACITY,
        "the cloud had no such capacity",
        source=PARAMETERS,
    ),
    rule(
        "launch-refused",
        {
            CODE: "CLOUD_PROVIDER_LAUNCH_FAILURE",
            f"{LAUNCH_ERROR} | {STATE_REASON}": says(
                r"InstanceLimitExceeded|VcpuLimitExceeded|Unauthorized\w*|AccessDenied\w*|AuthFailure|ValidationError"
                r"|Invalid[A-Z]\w*(?:\.\w{1,40})?|Unsupported\w*|OptInRequired|PendingVerification"
                r"|InsufficientFreeAddressesInSubnet|QuotaExceeded|OperationNotAllowed|(?:Linked)?AuthorizationFailed"
                r"|RequestDisallowedByPolicy|SubnetIsFull|Resource(?:Group)?NotFound|ScopeLocked|Client\.VolumeLimitExceeded\b.*"
            ),
        },
        Cause.APPLICATION,
        "the account's limits or permissions do not allow the cluster",
        source=PARAMETERS,
    ),
    rule(
        "stopped-by-person",
        {CODE: ("USER_REQUEST", "USER_INITIATED_VM_TERMINATION")},
        Cause.USER_ACTION,
        "somebody terminated the cluster",
    ),
    rule(
        "run-cancelled",
        {RUN_CODE: ("CANCELED", "USER_CANCELED", "CLUSTER_TERMINATED_BY_USER")},
        Cause.USER_ACTION,
        "somebody cancelled the run",
        source=RUN_CODES,
    ),
    rule("no-capacity", {CODE: NO_CAPACITY}, Cause.NO_CAPACITY, "the cloud had no such capacity"),
    rule("authors", {CODE: AUTHORS}, Cause.APPLICATION, "the cluster's settings, permissions or quota do not allow it"),
    rule(
        "run-authors",
        {
            RUN_CODE: words("""
                BUDGET_POLICY_LIMIT_EXCEEDED BREAKING_CHANGE DISABLED FEATURE_DISABLED INVALID_CLUSTER_REQUEST
                INVALID_RUN_CONFIGURATION LIBRARY_INSTALLATION_ERROR MAX_CONCURRENT_RUNS_EXCEEDED
                MAX_JOB_QUEUE_SIZE_EXCEEDED MAX_SPARK_CONTEXTS_EXCEEDED REPOSITORY_CHECKOUT_FAILED RESOURCE_NOT_FOUND
                RUN_EXECUTION_ERROR STORAGE_ACCESS_ERROR UNAUTHORIZED_ERROR WORKSPACE_RUN_LIMIT_EXCEEDED
            """)
        },
        Cause.APPLICATION,
        "the run's code or settings failed",
        source=RUN_CODES,
    ),
    rule(
        "driver-shut-down-on-spot",
        {CODE: "CLOUD_PROVIDER_SHUTDOWN"},
        Cause.SPOT_INTERRUPTION,
        "the cloud ended the driver's spot instance",
        needs=CapacityType.SPOT,
    ),
    rule(
        "driver-shut-down",
        {CODE: "CLOUD_PROVIDER_SHUTDOWN"},
        Cause.UNKNOWN,
        "the cloud ended the driver's instance, perhaps because a person asked it to",
    ),
    rule("platform", {CODE: PLATFORM}, Cause.INFRASTRUCTURE, "the platform lost or could not start the cluster"),
    rule(
        "run-platform",
        {RUN_CODE: ("CLOUD_FAILURE", "INTERNAL_ERROR")},
        Cause.INFRASTRUCTURE,
        "Databricks or the cloud failed",
        source=RUN_CODES,
    ),
    rule("either", {CODE: EITHER}, Cause.UNKNOWN, "this code covers the platform's faults and the author's"),
    rule(
        "run-either",
        {
            RUN_CODE: words("""
                CLUSTER_ERROR CLUSTER_REQUEST_LIMIT_EXCEEDED DRIVER_ERROR SKIPPED SUCCESS SUCCESS_WITH_FAILURES
            """)
        },
        Cause.UNKNOWN,
        "this code covers the platform's faults and the author's",
        source=RUN_CODES,
    ),
    rule(
        "type-client", {TYPE: "CLIENT_ERROR"}, Cause.APPLICATION, "Databricks blames the request", source=CLUSTER_TYPES
    ),
    rule(
        "type-platform",
        {TYPE: ("CLOUD_FAILURE", "SERVICE_FAULT", "INTERNAL_ERROR")},
        Cause.INFRASTRUCTURE,
        "Databricks blames the cloud or itself",
        source=CLUSTER_TYPES,
    ),
    rule(
        "result-cancelled",
        {"result_state": ("CANCELED", "UPSTREAM_CANCELED")},
        Cause.USER_ACTION,
        "somebody cancelled the run",
        source=RUN_STATES,
    ),
    rule(
        "result-authors",
        {"result_state": ("TIMEDOUT", "UPSTREAM_FAILED", "EXCLUDED", "MAXIMUM_CONCURRENT_RUNS_REACHED", "DISABLED")},
        Cause.APPLICATION,
        "the run ended by its own limits or settings",
        source=RUN_STATES,
    ),
)

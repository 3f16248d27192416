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


def _of(*parameters: str) -> str:
    return " | ".join(f"{place}parameters.{name}" for name in parameters for place in ("termination_reason.", ""))


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

NO_CAPACITY = words("""
    AWS_INSUFFICIENT_INSTANCE_CAPACITY_FAILURE AWS_MAX_SPOT_INSTANCE_COUNT_EXCEEDED_FAILURE
    CLOUD_PROVIDER_RESOURCE_STOCKOUT GCP_INSUFFICIENT_CAPACITY INTERNAL_CAPACITY_FAILURE
""")

PLATFORM = words("""
    ALLOCATION_TIMEOUT ALLOCATION_TIMEOUT_NODE_DAEMON_NOT_READY ALLOCATION_TIMEOUT_NO_HEALTHY_AND_WARMED_UP_CLUSTERS
    ALLOCATION_TIMEOUT_NO_HEALTHY_CLUSTERS ALLOCATION_TIMEOUT_NO_MATCHED_CLUSTERS ALLOCATION_TIMEOUT_NO_READY_CLUSTERS
    ALLOCATION_TIMEOUT_NO_UNALLOCATED_CLUSTERS ALLOCATION_TIMEOUT_NO_WARMED_UP_CLUSTERS AWS_REQUEST_LIMIT_EXCEEDED
    AZURE_PACKED_DEPLOYMENT_PARTIAL_FAILURE AZURE_RESOURCE_MANAGER_THROTTLING AZURE_RESOURCE_PROVIDER_THROTTLING
    AZURE_UNEXPECTED_DEPLOYMENT_TEMPLATE_FAILURE AZURE_VM_EXTENSION_FAILURE BOOTSTRAP_TIMEOUT_CLOUD_PROVIDER_EXCEPTION
    CLOUD_PROVIDER_DISK_SETUP_FAILURE CLOUD_PROVIDER_INSTANCE_NOT_LAUNCHED CLOUD_PROVIDER_LAUNCH_FAILURE
    CLUSTER_OPERATION_THROTTLED CLUSTER_OPERATION_TIMEOUT COMMUNICATION_LOST CONTROL_PLANE_REQUEST_FAILURE
    DBFS_COMPONENT_UNHEALTHY DRIVER_EVICTION DRIVER_NODE_UNREACHABLE DRIVER_UNREACHABLE GCP_API_RATE_QUOTA_EXCEEDED
    GCP_IAM_TIMEOUT GKE_BASED_CLUSTER_TERMINATION INSTANCE_UNREACHABLE INTERNAL_ERROR K8S_AUTOSCALING_FAILURE
    K8S_DBR_CLUSTER_LAUNCH_TIMEOUT LAZY_ALLOCATION_TIMEOUT MAINTENANCE_MODE NEPHOS_RESOURCE_MANAGEMENT
    NETVISOR_SETUP_TIMEOUT NO_MATCHED_K8S NPIP_TUNNEL_SETUP_FAILURE POD_ASSIGNMENT_FAILURE POD_SCHEDULING_FAILURE
    RATE_LIMITED REQUEST_THROTTLED SECURITY_DAEMON_REGISTRATION_EXCEPTION SKIPPED_SLOW_NODES SLOW_IMAGE_DOWNLOAD
    SPARK_IMAGE_DOWNLOAD_FAILURE SPARK_IMAGE_DOWNLOAD_THROTTLED STORAGE_DOWNLOAD_FAILURE_SLOW
    STORAGE_DOWNLOAD_FAILURE_THROTTLED TEMPORARILY_UNAVAILABLE UNEXPECTED_LAUNCH_FAILURE UNEXPECTED_POD_RECREATION
""")
"""The platform's doing, or a limit of its own that passes by itself."""

AUTHORS = words("""
    ABUSE_DETECTED ATTACH_PROJECT_FAILURE AWS_AUTHORIZATION_FAILURE AWS_INACCESSIBLE_KMS_KEY_FAILURE
    AWS_INSTANCE_PROFILE_UPDATE_FAILURE AWS_INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET_FAILURE AWS_INVALID_KEY_PAIR
    AWS_INVALID_KMS_KEY_STATE AWS_RESOURCE_QUOTA_EXCEEDED AWS_UNSUPPORTED_FAILURE AZURE_BYOK_KEY_PERMISSION_FAILURE
    AZURE_INVALID_DEPLOYMENT_TEMPLATE AZURE_OPERATION_NOT_ALLOWED_EXCEPTION AZURE_QUOTA_EXCEEDED_EXCEPTION
    AZURE_VNET_CONFIGURATION_FAILURE BOOTSTRAP_TIMEOUT_DUE_TO_MISCONFIG BUDGET_POLICY_LIMIT_ENFORCEMENT_ACTIVATED
    BUDGET_POLICY_RESOLUTION_FAILURE CLOUD_ACCOUNT_POD_QUOTA_EXCEEDED CLOUD_ACCOUNT_SETUP_FAILURE
    CLOUD_PROVIDER_LAUNCH_FAILURE_DUE_TO_MISCONFIG CLOUD_PROVIDER_RESOURCE_STOCKOUT_DUE_TO_MISCONFIG
    CONTROL_PLANE_CONNECTION_FAILURE_DUE_TO_MISCONFIG CONTROL_PLANE_REQUEST_FAILURE_DUE_TO_MISCONFIG
    DATA_ACCESS_CONFIG_CHANGED DOCKER_CONTAINER_CREATION_EXCEPTION DOCKER_IMAGE_PULL_FAILURE
    DOCKER_IMAGE_TOO_LARGE_FOR_INSTANCE_EXCEPTION DOCKER_INVALID_OS_EXCEPTION DRIVER_OUT_OF_DISK DRIVER_OUT_OF_MEMORY
    DYNAMIC_SPARK_CONF_SIZE_EXCEEDED EOS_SPARK_IMAGE GCP_DENIED_BY_ORG_POLICY GCP_FORBIDDEN
    GCP_INACCESSIBLE_KMS_KEY_FAILURE GCP_IP_SPACE_EXHAUSTED GCP_KMS_KEY_PERMISSION_DENIED GCP_NOT_FOUND
    GCP_QUOTA_EXCEEDED GCP_RESOURCE_QUOTA_EXCEEDED GCP_SERVICE_ACCOUNT_ACCESS_DENIED GCP_SERVICE_ACCOUNT_DELETED
    GCP_SERVICE_ACCOUNT_NOT_FOUND GCP_TRUSTED_IMAGE_PROJECTS_VIOLATED GLOBAL_INIT_SCRIPT_FAILURE
    IMAGE_PULL_PERMISSION_DENIED INIT_SCRIPT_FAILURE INSTANCE_POOL_MAX_CAPACITY_REACHED INSTANCE_POOL_NOT_FOUND
    INSTANCE_UNREACHABLE_DUE_TO_MISCONFIG INVALID_ARGUMENT INVALID_AWS_PARAMETER INVALID_INSTANCE_PLACEMENT_PROTOCOL
    INVALID_SPARK_IMAGE INVALID_WORKER_IMAGE_FAILURE IP_EXHAUSTION_FAILURE K8S_ACTIVE_POD_QUOTA_EXCEEDED
    MTLS_PORT_CONNECTIVITY_FAILURE NETWORK_CHECK_CONTROL_PLANE_FAILURE_DUE_TO_MISCONFIG
    NETWORK_CHECK_DNS_SERVER_FAILURE_DUE_TO_MISCONFIG NETWORK_CHECK_METADATA_ENDPOINT_FAILURE_DUE_TO_MISCONFIG
    NETWORK_CHECK_MULTIPLE_COMPONENTS_FAILURE_DUE_TO_MISCONFIG NETWORK_CHECK_NIC_FAILURE_DUE_TO_MISCONFIG
    NETWORK_CHECK_STORAGE_FAILURE_DUE_TO_MISCONFIG NETWORK_CONFIGURATION_FAILURE NFS_MOUNT_FAILURE
    RESOURCE_USAGE_BLOCKED SECRET_CREATION_FAILURE SECRET_PERMISSION_DENIED SECRET_RESOLUTION_ERROR
    SERVERLESS_LONG_RUNNING_TERMINATED SPARK_ERROR SPARK_IMAGE_NOT_FOUND STORAGE_DOWNLOAD_FAILURE_DUE_TO_MISCONFIG
    SUBNET_EXHAUSTED_FAILURE TRIAL_EXPIRED UNSUPPORTED_INSTANCE_TYPE UPDATE_INSTANCE_PROFILE_FAILURE
    USAGE_POLICY_ENTITLEMENT_DENIED WORKSPACE_CANCELLED_ERROR WORKSPACE_CONFIGURATION_ERROR
""")
"""Code, settings, permissions and quotas: asking again will not help."""

EITHER = words("""
    ACCESS_TOKEN_FAILURE AZURE_EPHEMERAL_DISK_FAILURE BOOTSTRAP_TIMEOUT CLOUD_OPERATION_CANCELLED
    CONTAINER_LAUNCH_FAILURE CONTROL_PLANE_CONNECTION_FAILURE DATABASE_CONNECTION_FAILURE DBR_IMAGE_RESOLUTION_FAILURE
    DNS_RESOLUTION_ERROR DRIVER_LAUNCH_TIMEOUT DRIVER_POD_CREATION_FAILURE DRIVER_UNEXPECTED_FAILURE DRIVER_UNHEALTHY
    DRIVER_UNRESPONSIVE EXECUTION_COMPONENT_UNHEALTHY EXECUTOR_POD_UNSCHEDULED GCP_SUBNET_NOT_READY
    HIVEMETASTORE_CONNECTIVITY_FAILURE HIVE_METASTORE_PROVISIONING_FAILURE INACTIVITY INIT_CONTAINER_NOT_FINISHED
    INSTANCE_POOL_CLUSTER_FAILURE JOB_FINISHED METASTORE_COMPONENT_UNHEALTHY NETWORK_CHECK_CONTROL_PLANE_FAILURE
    NETWORK_CHECK_DNS_SERVER_FAILURE NETWORK_CHECK_METADATA_ENDPOINT_FAILURE NETWORK_CHECK_MULTIPLE_COMPONENTS_FAILURE
    NETWORK_CHECK_NIC_FAILURE NETWORK_CHECK_STORAGE_FAILURE NO_MATCHED_K8S_TESTING_TAG NPIP_TUNNEL_TOKEN_FAILURE
    REQUEST_REJECTED SELF_BOOTSTRAP_FAILURE SPARK_STARTUP_FAILURE SSH_BOOTSTRAP_FAILURE STORAGE_DOWNLOAD_FAILURE
    STS_CLIENT_SETUP_FAILURE UNKNOWN WORKER_SETUP_FAILURE DISASTER_RECOVERY_REPLICATION IN_PENALTY_BOX
    WORKSPACE_UPDATE
""")
"""The platform or the author's network, metastore, heap or scripts; or an end that is no failure."""

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
                r"InstanceLimitExceeded|VcpuLimitExceeded|UnauthorizedOperation|InsufficientFreeAddressesInSubnet"
                r"|QuotaExceeded|OperationNotAllowed|Client\.VolumeLimitExceeded\b.*"
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

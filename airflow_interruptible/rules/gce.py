# SPDX-License-Identifier: Apache-2.0
"""Google Compute Engine: the metadata server, operations and audit log, API errors, Life Sciences messages.

The trap: host errors, maintenance and preemption are all done by ``system@google.com``: only the method differs.
"""

from __future__ import annotations

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.core.surface import Naming, Surface, reading, wrapper

SURFACE = Surface(
    services={
        "gce": words(
            "gcp google compute google-compute google-compute-engine papi lifesciences google-batch-vm tpu cloud-tpu"
        )
    },
    envelopes=("message", "data", "operation", "operations", "items", "entries", "body"),
    readings=(
        reading(r"(?P<operationType>[a-zA-Z0-9.]{1,80})"),
        reading(
            r"(?:systemevent-[\w-]{1,80}\s+)?(?P<operationType>compute\.instances\.\w{1,40})\s+"
            r"[\w/-]{1,200}(?:\s+[\w:.+-]{1,60}){0,4}"
        ),
        reading(
            r"(?:google\.api_core\.exceptions\.\w{1,60}: )?(?:\d{3} )?\[?(?P<error__code>[A-Z]+_[A-Z_]+)\]?"
            r"(?::? (?P<error__message>.*))?"
        ),
        reading(
            r"(?:googleapiclient\.errors\.HttpError: )?<HttpError (?P<error__code>\d{3}) when requesting \S{1,500}"
            r" returned"
            r" .(?P<error__message>.*?).\. +Details: .*>"
        ),
        reading(
            r"The zone .projects/[^ ]+ does not have enough resources available to fulfill the"
            r" request(?P<stockout>\.).*"
        ),
    ),
    wrappers=(wrapper(r"ERROR: \(gcloud\.[\w.-]{1,80}\) [^\n]{0,200}\n ?- (?P<inner>.*)"),),
    machines=(
        Naming("vm", "name", where=("kind", "compute#instance")),
        Naming("vm", "protoPayload.instanceName"),
        Naming("vm", "protoPayload.resourceName"),
        Naming("vm", "targetLink"),
        Naming("instance", "resource.labels.instance_id"),
        Naming("instance", "targetId"),
    ),
    capacity={
        "scheduling.provisioningModel": {"SPOT": CapacityType.SPOT, "STANDARD": CapacityType.ON_DEMAND},
        "scheduling.preemptible": {"true": CapacityType.SPOT},
    },
)

DOCS = "https://cloud.google.com/compute/docs"
SPOT = f"{DOCS}/instances/preemptible"
QUOTAS = "https://cloud.google.com/compute/resource-usage#preemptible_quotas"
AUDIT = f"{DOCS}/logging/audit-logging"
SHUTDOWNS = f"{DOCS}/troubleshooting/troubleshooting-reboots"
METADATA = f"{DOCS}/metadata/predefined-metadata-keys"
STOCKOUT = f"{DOCS}/troubleshooting/troubleshooting-vm-creation"
CROMWELL = "https://github.com/broadinstitute/cromwell/blob/develop/CHANGELOG.md"

SPOT_QUOTA_INSIDE = r".{0,400}\bPREEMPTIBLE_[A-Z0-9_]{2,60}\b.*"
"""The name of a quota that only spot machines draw on: https://cloud.google.com/compute/resource-usage#preemptible_quotas"""

QUOTA_MESSAGE = (
    "error.errors.message | error.message | errors.message | lastAttempt.errors.errors.message | description | message"
)
QUOTA_METRIC = " | ".join(
    f"{place}errorDetails.quotaInfo.metricName" for place in ("error.errors.", "error.", "errors.", "")
)

METHOD = "operationType | protoPayload.methodName | methodName | jsonPayload.event_subtype | event_subtype"
CODE = (
    "error.errors.code | error.code | error.errors.reason | error.status | errors.code"
    " | lastAttempt.errors.errors.code | code"
)
QUOTA_CODES = words("QUOTA_EXCEEDED quotaExceeded CODE_GCE_QUOTA_EXCEEDED GCE_QUOTA_EXCEEDED")
VALUE = "value | body"
SYSTEM = r"(?:(?:v1|beta|alpha)\.)?compute\.instances\."
"""How operations and both forms of the audit log begin a method's name."""

rule = Table("gce", ("gce", "gke", "gcpbatch", "dataproc", "vertex"), AUDIT)

tpu = Table("gce", ("gce",), "https://cloud.google.com/tpu/docs/reference/rest/v2/projects.locations.nodes#State")

RULES = (
    # The metadata server
    rule(
        "metadata-preempted",
        {"path | key": says(r".*instance/preempted(?:\?.*)?"), VALUE: "TRUE"},
        Cause.SPOT_INTERRUPTION,
        "Compute Engine is taking the spot machine back",
        source=METADATA,
    ),
    rule(
        "metadata-preempted-field",
        {"preempted | instance/preempted | instance.preempted | computeMetadata/v1/instance/preempted": "TRUE"},
        Cause.SPOT_INTERRUPTION,
        "Compute Engine is taking the spot machine back",
        source=METADATA,
    ),
    rule(
        "metadata-not-preempted",
        {"path | key": says(r".*instance/preempted(?:\?.*)?"), VALUE: "FALSE"},
        Cause.UNKNOWN,
        "the machine was not preempted when asked, which says nothing of why it ended",
        source=METADATA,
    ),
    rule(
        "metadata-maintenance",
        {"path | key": says(r".*instance/maintenance-event(?:\?.*)?"), VALUE: "TERMINATE_ON_HOST_MAINTENANCE"},
        Cause.INFRASTRUCTURE,
        "the host is going down for maintenance",
        source=METADATA,
    ),
    rule(
        "metadata-maintenance-field",
        {"maintenance-event | instance/maintenance-event": "TERMINATE_ON_HOST_MAINTENANCE"},
        Cause.INFRASTRUCTURE,
        "the host is going down for maintenance",
        source=METADATA,
    ),
    # Operations and audit log
    rule(
        "preempted",
        {METHOD: says(SYSTEM + r"preempted")},
        Cause.SPOT_INTERRUPTION,
        "Compute Engine took the spot machine back",
        source=SPOT,
    ),
    rule(
        "preempted-message",
        {
            "statusMessage | protoPayload.status.message | (text)": says(
                r"(?:The )?(?:Instance|VM) (?:.?[\w-]+.? )?was preempted\.?"
            )
        },
        Cause.SPOT_INTERRUPTION,
        "Compute Engine took the spot machine back",
        source=SPOT,
    ),
    tpu(
        "tpu-preempted",
        {"state": "PREEMPTED"},
        Cause.SPOT_INTERRUPTION,
        "Google took the TPU back",
    ),
    rule(
        "host",
        {
            METHOD: says(
                SYSTEM + r"(?:hostError|automaticRestart|terminateOnHostMaintenance|instanceManagerHaltForRestart)"
            )
        },
        Cause.INFRASTRUCTURE,
        "the host failed or went down for maintenance",
        source=SHUTDOWNS,
    ),
    rule(
        "recreated",
        {METHOD: says(SYSTEM + r"repair\.(?:recreateInstance|deleteInstance)")},
        Cause.INFRASTRUCTURE,
        "the instance group recreated the machine",
        source=SHUTDOWNS,
    ),
    rule(
        "asked-for",
        {METHOD: says(SYSTEM + r"(?:delete|stop|suspend|reset|guestTerminate|migrateOnHostMaintenance)")},
        Cause.UNKNOWN,
        "somebody or something asked for it: a person, an autoscaler, the machine itself",
        source=SHUTDOWNS,
    ),
    rule(
        "asked-for-operation",
        {METHOD: ("delete", "stop", "suspend", "reset", "guestTerminate")},
        Cause.UNKNOWN,
        "somebody or something asked for it: a person, an autoscaler, the machine itself",
        source=SHUTDOWNS,
    ),
    # No capacity
    rule(
        "stockout",
        {CODE: says(r"(?:CODE_GCE_)?(?:(?:ZONE|REGION)_)?RESOURCE_POOL_EXHAUSTED(?:_WITH_DETAILS)?|(?:GCE_)?STOCKOUT")},
        Cause.NO_CAPACITY,
        "the zone had no such capacity",
        source=STOCKOUT,
    ),
    rule(
        "stockout-words",
        {
            QUOTA_MESSAGE: says(
                r"(?:.{0,200} )?The zone .?projects/\S{1,200} does not have enough resources available to fulfill the"
                r" request\b.*"
                r"|A \S{1,60} VM instance (?:with .{1,120} )?is currently unavailable in the \S{1,60} zone\..*"
            )
        },
        Cause.NO_CAPACITY,
        "the zone had no such capacity",
        source=STOCKOUT,
    ),
    rule("stockout-message", {"stockout": "."}, Cause.NO_CAPACITY, "the zone had no such capacity", source=STOCKOUT),
    rule(
        "spot-quota",
        {CODE: (*QUOTA_CODES, "RESOURCE_EXHAUSTED", "403", "429"), QUOTA_MESSAGE: says(SPOT_QUOTA_INSIDE)},
        Cause.NO_CAPACITY,
        "the quota of spot machines is used up, and on-demand ones have another",
        source=QUOTAS,
    ),
    rule(
        "spot-quota-metric",
        {CODE: QUOTA_CODES, QUOTA_METRIC: says(r"compute\.googleapis\.com/preemptible_\w+")},
        Cause.NO_CAPACITY,
        "the quota of spot machines is used up, and on-demand ones have another",
        source=QUOTAS,
    ),
    rule(
        "spot-quota-message",
        {
            "statusMessage | details | (text)": says(
                r"(?:google\.api_core\.exceptions\.\w{1,60}: )?(?:\d{3} )?(?:Instance \S{1,80} creation failed: )?"
                r"(?:Quota .?PREEMPTIBLE_[A-Z0-9_]{2,60}.? exceeded"
                r"|Insufficient .?PREEMPTIBLE_[A-Z0-9_]{2,60}.? quota)\..*"
            )
        },
        Cause.NO_CAPACITY,
        "the quota of spot machines is used up, and on-demand ones have another",
        source=QUOTAS,
    ),
    rule(
        "quota",
        {CODE: QUOTA_CODES},
        Cause.APPLICATION,
        "a quota of the project is used up",
        source=STOCKOUT,
    ),
    # Life Sciences, as Cromwell and its kin report it
    rule(
        "papi-preempted",
        {
            "(text)": says(
                r"(?:(?:PAPI|JES) error code \d+\. )?Task (?:[\w:.-]+ )?"
                r"was preempted for the \d+(?:st|nd|rd|th) time\b.*"
            )
        },
        Cause.SPOT_INTERRUPTION,
        "Compute Engine took the spot machine back",
        source=CROMWELL,
    ),
    rule(
        "papi-status-preempted",
        {"(text)": says(r"14: preempted\.?")},
        Cause.SPOT_INTERRUPTION,
        "Compute Engine took the spot machine back",
        source=CROMWELL,
    ),
    rule(
        "papi-start-preempted",
        {"(text)": says(r"Instance failed to start due to preemption\.?")},
        Cause.SPOT_INTERRUPTION,
        "Compute Engine took the spot machine back before it had started",
        source=CROMWELL,
    ),
    rule(
        "papi-worker-lost-on-spot",
        {
            "(text)": says(
                r"(?:(?:PAPI|JES) error code 1[034]\. |Error code 1[034]\. )?(?:Message: )?(?:1[034]: )?"
                r"(?:The assigned worker has failed to complete the operation"
                r"|VM [\w-]+ (?:stopped|shut down) unexpectedly\.?)"
            )
        },
        Cause.SPOT_INTERRUPTION,
        "the spot machine stopped answering",
        source=CROMWELL,
        needs=CapacityType.SPOT,
    ),
)

# SPDX-License-Identifier: Apache-2.0
"""Amazon EC2's enumerations: ``StateReason`` of instances, status codes of Spot requests, API error codes.

The trap: ``marked-for-termination`` and ``marked-for-stop`` precede a person's own terminate and stop as well.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.rules.ec2 import API, GUIDE, SERVICES

STATE = f"{API}/API_StateReason.html"
STATUS = f"{GUIDE}/spot-request-status.html"
ERRORS = f"{API}/errors-overview.html"

STATE_CODE = "StateReason.Code | Code"
REQUEST = "Status.Code | Code"
ERROR = "Error.Code | ErrorCode | Errors.ErrorCode | Code"

INTERRUPTED = words("""
    instance-terminated-by-price instance-terminated-no-capacity instance-stopped-by-price instance-stopped-no-capacity
    instance-terminated-capacity-oversubscribed instance-stopped-capacity-oversubscribed
    instance-terminated-launch-group-constraint instance-terminated-by-experiment instance-stopped-by-experiment
""")
TAKEN_BACK = (
    r"Your (?:Spot )?instance was (?:terminated|stopped|hibernated)"
    r" (?:because there (?:is no|was no longer enough) Spot capacity available"
    r" (?:that matches your request|for the instance)"
    r"|because the Spot price exceeded your maximum price"
    r"|because your Spot request price was lower than required fulfillment price"
    r"|due to EC2 capacity management needs)\.?"
)
NO_CAPACITY = (
    r"(?:There is no Spot capacity available that matches your request\."
    r"|We currently do not have sufficient (?:\S+ )?capacity in the Availability Zone you requested\b.*)"
    r"(?: Launching EC2 instance failed\.?)?"
)

rule = Table("ec2", SERVICES, STATE)

RULES = (
    # StateReason
    rule(
        "state-spot",
        {STATE_CODE: ("Server.SpotInstanceTermination", "Server.SpotInstanceShutdown")},
        Cause.SPOT_INTERRUPTION,
        "EC2 took the Spot instance back",
    ),
    rule(
        "state-transition-spot",
        {"StateTransitionReason": says(r"Server\.SpotInstance(?:Termination|Shutdown)\b.*")},
        Cause.SPOT_INTERRUPTION,
        "EC2 took the Spot instance back",
    ),
    rule(
        "state-no-capacity",
        {STATE_CODE: "Server.InsufficientInstanceCapacity"},
        Cause.NO_CAPACITY,
        "EC2 had no capacity to launch the instance",
    ),
    rule(
        "state-infrastructure",
        {STATE_CODE: ("Server.InternalError", "Server.ScheduledStop")},
        Cause.INFRASTRUCTURE,
        "EC2 ended the instance for a reason of its own",
    ),
    rule(
        "state-person",
        {STATE_CODE: ("Client.UserInitiatedShutdown", "Client.UserInitiatedHibernate", "Client.InstanceTerminated")},
        Cause.USER_ACTION,
        "somebody ended the instance through the API",
    ),
    rule(
        "state-transition-person",
        {"StateTransitionReason": says(r"User initiated(?: shutdown)?(?: \([\d :GMTUTC-]+\))?")},
        Cause.USER_ACTION,
        "somebody ended the instance through the API",
    ),
    rule(
        "state-client",
        {STATE_CODE: ("Client.InternalError", "Client.InvalidSnapshot.NotFound", "Client.VolumeLimitExceeded")},
        Cause.APPLICATION,
        "the launch request asked for something that it cannot have",
    ),
    rule(
        "state-os-shutdown",
        {STATE_CODE: "Client.InstanceInitiatedShutdown"},
        Cause.UNKNOWN,
        "the operating system shut down, by a person, a script, or after a notice",
    ),  # Spot request status
    rule(
        "request-interrupted",
        {REQUEST: INTERRUPTED},
        Cause.SPOT_INTERRUPTION,
        "EC2 took the Spot instance back",
        source=STATUS,
    ),
    rule(
        "request-message",
        {
            "Status.Message | (text)": says(TAKEN_BACK),
        },
        Cause.SPOT_INTERRUPTION,
        "EC2 took the Spot instance back",
        source=STATUS,
    ),
    rule(
        "request-person",
        {
            REQUEST: words("""
                instance-terminated-by-user spot-instance-terminated-by-user instance-stopped-by-user
                canceled-before-fulfillment request-canceled-and-instance-running
            """)
        },
        Cause.USER_ACTION,
        "somebody ended the instance or the request",
        source=STATUS,
    ),
    rule(
        "request-waits",
        {
            REQUEST: words("""
                capacity-not-available capacity-oversubscribed price-too-low az-group-constraint
                launch-group-constraint placement-group-constraint schedule-expired
            """)
        },
        Cause.NO_CAPACITY,
        "the Spot request could not be fulfilled",
        source=STATUS,
    ),
    rule(
        "request-invalid",
        {REQUEST: words("bad-parameters constraint-not-fulfillable limit-exceeded instance-terminated-by-schedule")},
        Cause.APPLICATION,
        "the Spot request asked for something that it cannot have, or for an end at this time",
        source=STATUS,
    ),
    rule(
        "request-system-error",
        {REQUEST: "system-error"},
        Cause.INFRASTRUCTURE,
        "EC2 had an error with the Spot request",
        source=STATUS,
    ),
    rule(
        "request-undecided",
        {
            REQUEST: words("""
                marked-for-stop marked-for-termination instance-terminated-by-service fulfilled pending-evaluation
                pending-fulfillment not-scheduled-yet
            """)
        },
        Cause.UNKNOWN,
        "the status of the Spot request does not say who ended the instance",
        source=STATUS,
    ),  # API errors
    rule(
        "error-no-capacity",
        {
            ERROR: words("""
                InsufficientInstanceCapacity InsufficientHostCapacity InsufficientReservedInstanceCapacity
                InsufficientCapacity InsufficientCapacityOnHost SpotMaxPriceTooLow UnfulfillableCapacity
                MaxSpotInstanceCountExceeded ReservationCapacityExceeded
            """)
        },
        Cause.NO_CAPACITY,
        "EC2 had no such capacity",
        source=ERRORS,
    ),
    rule(
        "error-no-capacity-message",
        {"StatusMessage | Error.Message | (text)": says(NO_CAPACITY)},
        Cause.NO_CAPACITY,
        "EC2 had no such capacity",
        source="https://docs.aws.amazon.com/autoscaling/ec2/userguide/ts-as-capacity.html",
    ),
    rule(
        "error-server",
        {
            ERROR: words("""
                InternalError InternalFailure ServiceUnavailable Unavailable RequestLimitExceeded
                EC2ThrottledException
            """)
        },
        Cause.INFRASTRUCTURE,
        "the EC2 API failed",
        source=ERRORS,
    ),
)

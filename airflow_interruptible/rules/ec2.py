# SPDX-License-Identifier: Apache-2.0
"""Amazon EC2: the instance metadata service, EventBridge and CloudTrail. Its enumerations are in ``ec2_states``.

The traps: a rebalance recommendation is no interruption, and a 404 from the metadata service proves nothing.
"""

from __future__ import annotations

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.core.surface import Naming, Surface, reading

ASG_LAUNCH = (
    r"(?:AsgInstanceLaunchFailures:? )?Could not launch (?:Spot|On-Demand) Instances\.\s+"
    r"(?P<Error__Code>[A-Z]\w+) [-\u2013\u2014] .*"
)
"""How an Auto Scaling group, and a managed node group of EKS, words a launch that failed."""

SURFACE = Surface(
    services={
        "ec2": ("aws", "aws-ec2", "amazon-ec2", "autoscaling", "asg", "spot-fleet", "ec2-fleet", "imds", "eventbridge")
    },
    envelopes=words("""
        Records body Message detail CloudTrailEvent Reservations Instances Instance SpotInstanceRequests
        SpotInstanceRequest Events response Activities InstanceStatuses HistoryRecords EventInformation
    """),
    read=("StatusMessage",),
    readings=(
        reading(r"(?P<detail_type>EC2 [A-Z][\w -]{1,80})"),
        reading(r"(?P<StateReason__Code>(?i:Server|Client)\.[A-Za-z.]+?)(?:: .*)?"),
        reading(r"\[Status\] \w+ \[Code\] (?P<Status__Code>[a-z-]+) \[Message\].*"),
        reading(
            r"(?:[\dT:.Z+-]{16,30} : ){0,3}(?:Your )?Spot [Ii]nstance [^\[\]:]{1,200}"
            r" \[(?P<Status__Code>[a-z]+-[a-z-]+)\]"
        ),
        reading(r"(?P<Status__Code>[a-z]+-[a-z-]+)(?:: .*)?"),
        reading(
            r"(?:botocore\.exceptions\.)?(?:ClientError: )?"
            r"An error occurred \((?P<Error__Code>[\w.]+)\) when calling the \w+ operation.*"
        ),
        reading(r"(?P<Error__Code>[A-Z][a-z]+[A-Z]\w+): .*"),
        reading(ASG_LAUNCH),
    ),
    machines=(
        Naming("instance", "instance-id"),
        Naming("instance", "InstanceId"),
        Naming("instance", "EC2InstanceId"),
        Naming("node", "PrivateDnsName"),
        Naming("instance", "serviceEventDetails.instanceIdSet"),
    ),
    capacity={
        "InstanceLifecycle": {"spot": CapacityType.SPOT},
        "instance-life-cycle": {"spot": CapacityType.SPOT, "on-demand": CapacityType.ON_DEMAND},
    },
)

GUIDE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide"
API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference"
NOTICE = f"{GUIDE}/spot-instance-termination-notices.html"
SCHEDULED = f"{GUIDE}/monitoring-instances-status-check_sched.html"
TRAIL = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/BidEvictedEvent.html"
ASG_EVENTS = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html"
FLEET_EVENTS = f"{GUIDE}/monitor-ec2-fleet-using-eventbridge.html"
HANDLER = "https://github.com/aws/aws-node-termination-handler/tree/main/pkg/monitor/sqsevent"

MOMENT = says(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z?")

SERVICES = ("ec2", "eks", "ecs", "fargate", "batch", "emr")
"""Whoever runs on EC2 may hand its words on."""

rule = Table("ec2", SERVICES, NOTICE)

RULES = (
    # EventBridge and CloudTrail
    rule(
        "event-interruption",
        {"detail-type": "EC2 Spot Instance Interruption Warning"},
        Cause.SPOT_INTERRUPTION,
        "EC2 warned of the Spot interruption",
    ),
    rule(
        "event-evicted",
        {"eventName": "BidEvictedEvent"},
        Cause.SPOT_INTERRUPTION,
        "EC2 interrupted the Spot instance",
        source=TRAIL,
    ),
    rule(
        "event-rebalance",
        {"detail-type": "EC2 Instance Rebalance Recommendation"},
        Cause.UNKNOWN,
        "a rebalance recommendation is no interruption",
        source=f"{GUIDE}/rebalance-recommendations.html",
    ),
    rule(
        "event-reservation",
        {"detail-type": "EC2 Capacity Reservation Instance Interruption Warning"},
        Cause.INFRASTRUCTURE,
        "EC2 took back an interruptible capacity reservation",
        source="https://github.com/aws/karpenter-provider-aws/tree/main/pkg/controllers/interruption/messages",
    ),
    rule(
        "event-health",
        {"detail-type": "AWS Health Event", "service": "EC2", "eventTypeCategory": ("scheduledChange", "issue")},
        Cause.INFRASTRUCTURE,
        "AWS Health announced a change to the instance",
        source=HANDLER,
    ),
    rule(
        "event-asg-asked-for",
        {
            "detail-type": "EC2 Instance Terminate Successful",
            "Cause": says(r"At \S+ (?:an )?instance .*was taken out of service in response to a user request\b.*"),
        },
        Cause.UNKNOWN,
        "somebody, or an autoscaler, asked for the instance's end",
        source=ASG_EVENTS,
    ),
    rule(
        "asg-spot",
        {
            "Cause": says(
                r"At \S+ (?:an )?instance .*taken out of service in response to an? (?:EC2 )?spot (?:instance )?"
                r"interruption\b.*"
            )
        },
        Cause.SPOT_INTERRUPTION,
        "the Auto Scaling group replaced the instance for a Spot interruption",
        source=ASG_EVENTS,
    ),
    rule(
        "asg-replaced",
        {
            "Cause": says(
                r"At \S+ (?:an )?instance .*taken out of service in response to"
                r" (?:an? (?:EC2 )?(?:instance )?(?:rebalance recommendation|status check failure|maintenance event)"
                r"|a difference between desired and actual capacity|an availability zone rebalance|an instance refresh)"
                r"\b.*"
            )
        },
        Cause.INFRASTRUCTURE,
        "the Auto Scaling group replaced the instance",
        source=ASG_EVENTS,
    ),
    rule(
        "fleet-change",
        {
            "detail-type": ("EC2 Spot Fleet Instance Change", "EC2 Fleet Instance Change"),
            "sub-type": "termination_notified",
        },
        Cause.INFRASTRUCTURE,
        "the fleet was scaled down",
        source=FLEET_EVENTS,
    ),
    rule(
        "fleet-spot-limit",
        {"EventSubType | sub-type": "spotInstanceCountLimitExceeded"},
        Cause.NO_CAPACITY,
        "the limit of Spot instances is reached, and on-demand ones have another",
        source=FLEET_EVENTS,
    ),
    rule(
        "fleet-settings",
        {
            "EventSubType | sub-type": words("""
                iamFleetRoleInvalid spotFleetRequestConfigurationInvalid fleetConfigurationInvalid launchSpecUnusable
                registerWithLoadBalancersFailed
            """)
        },
        Cause.APPLICATION,
        "the fleet's settings do not allow the launch",
        source=FLEET_EVENTS,
    ),
    rule(
        "terminated-by-person",
        {
            "eventName": ("TerminateInstances", "StopInstances", "RebootInstances"),
            "userIdentity.type": ("IAMUser", "Root", "IdentityCenterUser"),
        },
        Cause.USER_ACTION,
        "somebody ended the instance through the API",
        source="https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html",
    ),
    rule(
        "status-impaired",
        {"SystemStatus.Status": "impaired"},
        Cause.INFRASTRUCTURE,
        "AWS's own host under the instance failed its checks",
        source=f"{GUIDE}/monitoring-system-instance-status-check.html",
    ),
    rule(
        "event-asg",
        {"detail-type": ("EC2 Instance-terminate Lifecycle Action", "EC2 Instance Terminate Successful")},
        Cause.INFRASTRUCTURE,
        "the Auto Scaling group terminated the instance",
        source=HANDLER,
    ),
    rule(
        "event-asg-hook",
        {"LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"},
        Cause.INFRASTRUCTURE,
        "the Auto Scaling group terminated the instance",
        source=HANDLER,
    ),
    rule(
        "event-state-change",
        {"detail-type": "EC2 Instance State-change Notification"},
        Cause.UNKNOWN,
        "the instance changed its state, and the event does not say why",
        source=f"{GUIDE}/monitoring-instance-state-changes.html",
    ),
    rule(
        "terminated-by-asg",
        {
            "eventName": "TerminateInstances",
            "Username | userIdentity.invokedBy | sourceIPAddress": ("AutoScaling", "autoscaling.amazonaws.com"),
        },
        Cause.INFRASTRUCTURE,
        "the Auto Scaling group terminated the instance",
        source="https://docs.aws.amazon.com/autoscaling/ec2/userguide/logging-using-cloudtrail.html",
    ),
    # The instance metadata service
    rule(
        "imds-notice",
        {"action": ("terminate", "stop", "hibernate"), "time": MOMENT},
        Cause.SPOT_INTERRUPTION,
        "EC2 gave the Spot interruption notice",
    ),
    rule(
        "imds-action",
        {"instance-action": ("terminate", "stop", "hibernate")},
        Cause.SPOT_INTERRUPTION,
        "EC2 gave the Spot interruption notice",
    ),
    rule(
        "imds-termination-time",
        {"path": says(r".*/meta-data/spot/termination-time/?"), "http_status": 200, "body": MOMENT},
        Cause.SPOT_INTERRUPTION,
        "EC2 gave the Spot interruption notice",
    ),
    rule(
        "imds-termination-time-field",
        {"termination-time | spot/termination-time": MOMENT},
        Cause.SPOT_INTERRUPTION,
        "EC2 gave the Spot interruption notice",
    ),
    rule(
        "imds-no-notice",
        {"path": says(r".*/meta-data/spot/.*"), "http_status": 404},
        Cause.UNKNOWN,
        "there was no notice, which proves nothing: a person may have ended it, or it died before",
    ),
    rule(
        "imds-rebalance",
        {"path": says(r".*/meta-data/events/recommendations/rebalance/?")},
        Cause.UNKNOWN,
        "a rebalance recommendation is no interruption",
        source=f"{GUIDE}/rebalance-recommendations.html",
    ),
    rule(
        "maintenance-over",
        {
            "State": ("completed", "canceled"),
            "Code": ("instance-reboot", "system-reboot", "system-maintenance", "instance-retirement", "instance-stop"),
        },
        Cause.UNKNOWN,
        "the scheduled event is over or was cancelled",
        source=SCHEDULED,
    ),
    rule(
        "maintenance",
        {"Code": ("instance-reboot", "system-reboot", "system-maintenance", "instance-retirement", "instance-stop")},
        Cause.INFRASTRUCTURE,
        "AWS scheduled maintenance of the instance",
        source=SCHEDULED,
    ),
    rule(
        "asg-target-terminated",
        {"path": says(r".*/meta-data/autoscaling/target-lifecycle-state/?"), "body": "Terminated"},
        Cause.INFRASTRUCTURE,
        "the Auto Scaling group is terminating the instance",
        source="https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html",
    ),  # EventBridge and CloudTrail
)

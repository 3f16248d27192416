# SPDX-License-Identifier: Apache-2.0
"""Strings that carry facts about pods and nodes: ``kubectl`` lines, and the logs of those who drain nodes or run pods.

The trap: a controller logs what it does to every node, so a line that names its node is only about that one.
"""

from __future__ import annotations

from airflow_interruptible.core.surface import reading
from airflow_interruptible.rules.ec2 import ASG_LAUNCH

STAMP = r"(?:\S{1,40}\s{1,4}){0,2}"
"""A date and a time, as logs begin with them, or neither."""

AZURE = r"(?:(?:azure[\w.]{1,80}\.)?HttpResponseError: )?\(?(?:Code[:=] ?)?.?"
"""How clients of Azure begin a refusal, up to its code. Not how Python begins any other exception."""

READINGS = (
    reading(r"(?:\w+ )?(?:Warning|Normal) +(?P<reason>[A-Z]\w+) +(?P<message>.*)"),
    # kubectl get events, kubectl describe
    reading(r"\d[\dsmhdy]{0,11} +(?:Warning|Normal) +(?P<reason>[A-Z]\w+) +\w{1,40}/[\w.-]{1,253} +(?P<message>.*)"),
    reading(
        r"(?:Warning|Normal) +(?P<reason>[A-Z]\w+) +\d{1,5}[smhd]\w{0,8}(?: \(x\d{1,6} over \w{1,12}\))?"
        r" +[\w-]{1,63}(?:, \S{1,253})? +(?P<message>.*)"
    ),
    reading(
        r"(?:ERROR: )?(?:Job failed \(system failure\): )?pod \S+ is disrupted: "
        r"reason .(?P<conditions__DisruptionTarget__True__reason>\w+)., message.*"
    ),
    reading(r"Pod failed because of (?P<reason>\w+)"),
    # Nextflow
    reading(r"K8s pod \S+ execution failed - reason: (?P<reason>\w+) - message: (?P<message>.*)"),
    # Karpenter, up to v0.31; later ones log JSON
    reading(
        r"(?:\d{4}-\d\d-\d\dT\S{1,20}\s+(?:INFO|DEBUG)\s+)?controller\.interruption\s+"
        r"(?:initiating delete for (?:machine|node)|removing offering from offerings|deleted \w+)"
        r"(?: from interruption message)?\s+(?P<embedded>\{.*)"
    ),
    # AWS node termination handler
    reading(STAMP + r"INF Adding new event to the event store event=(?P<embedded>\{.*)"),
    reading(
        STAMP + r"INF Requesting instance drain event-id=\S+ instance-id=(?P<instance_id>i-\w+) kind=(?P<Kind>\w+)"
        r" node-name=(?P<NodeName>\S+).*"
    ),
    reading(
        STAMP + r"INF Node successfully cordoned and drained node_name=(?P<NodeName>\S+) reason=.(?P<Description>.*)."
    ),
    # GKE, Azure, EC2
    reading(r"\[(?P<error__code>GCE_[A-Z_]{1,60})\]: (?P<error__message>.*)"),
    reading(r"Azure deployment failure \((?:Compute\.)?(?P<error__code>\w+)\).*"),
    reading(AZURE + r"(?P<error__code>[A-Z][a-z]+[A-Z]\w+).?[):]?\s.*"),
    reading(
        AZURE + r"(?P<error__code>OperationNotAllowed|(?:Resource)?QuotaExceeded).?[):]?\s(?:Message[:=] ?)?"
        r"(?P<error__message>.*)"
    ),
    reading(ASG_LAUNCH),
)

# SPDX-License-Identifier: Apache-2.0
"""AWS Glue job runs: states and execution class. What Spark and YARN say is in ``spark``.

The surprising fact: a Flex job that loses its spare capacity has no status of its own; it just fails.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says
from airflow_interruptible.core.surface import Surface

SURFACE = Surface(
    services={"glue": ("aws-glue",)},
    envelopes=("detail", "JobRun", "body"),
    aliases={"state": "JobRunState", "message": "ErrorMessage"},
    strings={"statusReason": "ErrorMessage"},
)

STATES = "https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html"
TROUBLES = "https://docs.aws.amazon.com/glue/latest/dg/glue-troubleshooting-errors.html"

MESSAGE = "ErrorMessage | (text)"

rule = Table("glue", ("glue",), STATES)

RULES = (
    rule("timeout", {"JobRunState": "TIMEOUT"}, Cause.APPLICATION, "the job ran longer than its own timeout"),
    rule("stopped-by-person", {"JobRunState": ("STOPPED", "STOPPING")}, Cause.USER_ACTION, "somebody stopped the job"),
    rule("deleted-job", {"JobRunState": "ERROR"}, Cause.APPLICATION, "a trigger ran a job that had been deleted"),
    rule(
        "flex-waiting",
        {"JobRunState": ("WAITING", "EXPIRED"), "ExecutionClass": "FLEX"},
        Cause.NO_CAPACITY,
        "there was no spare capacity for a Flex job",
    ),
    rule(
        "resource-unavailable",
        {MESSAGE: says(r"(?:Error: |Error Category: \w+; ?)?Resource unavailable\b.*")},
        Cause.NO_CAPACITY,
        "Glue had no capacity for the job",
        source=TROUBLES,
    ),
    rule(
        "launch-failed",
        {MESSAGE: says(r"Internal service error\b(?!.*\b(?:[Ii]nvalid|denied|not authorized)\b).*")},
        Cause.INFRASTRUCTURE,
        "Glue had an internal error",
        source=TROUBLES,
    ),
    rule(
        "command-failed",
        {MESSAGE: says(r"Command [Ff]ailed [Ww]ith [Ee]xit [Cc]ode \d{1,3}\b.*")},
        Cause.APPLICATION,
        "the job's script failed",
        source=TROUBLES,
    ),
)

# SPDX-License-Identifier: Apache-2.0
"""Google Dataproc: job and cluster states. What Spark and YARN say is in ``spark``.

The trap: the driver's exit by SIGTERM is the agent's memory guard more often than anything else, so it proves nothing.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says
from airflow_interruptible.core.surface import Surface, reading

SURFACE = Surface(
    services={"dataproc": ("google-dataproc", "gcp-dataproc")},
    envelopes=("job", "status", "cluster", "batch", "body"),
    aliases={"statemessage": "details", "detail": "details"},
    strings={"statusReason": "details"},
    readings=(reading(r"(?P<error__code>[A-Z]+_[A-Z_]+)(?::? .*)?"),),
)

STATES = "https://cloud.google.com/dataproc/docs/reference/rest/v1/projects.regions.jobs#state"
OOM = "https://cloud.google.com/dataproc/docs/support/troubleshoot-oom-errors"
JOBS = "https://cloud.google.com/dataproc/docs/concepts/jobs/troubleshoot-jobs"

rule = Table("dataproc", ("dataproc",), STATES)

RULES = (
    rule(
        "cancelled",
        {"state": ("CANCELLED", "CANCEL_PENDING", "CANCEL_STARTED")},
        Cause.USER_ACTION,
        "somebody cancelled the job",
    ),
    rule(
        "cancelled-message",
        {"details | (text)": says(r"(?:Job|Batch) (?:was )?cancell?ed\b.{0,200}")},
        Cause.USER_ACTION,
        "somebody cancelled the job",
    ),
    rule(
        "driver-signalled",
        {"details | (text)": says(r".{0,80}Driver received SIGTERM/SIGKILL signal and exited with (?:137|143) code.*")},
        Cause.UNKNOWN,
        "the driver was ended by a signal: memory pressure, a cancel, or the machine",
        source=OOM,
    ),
    rule(
        "not-acquired",
        {"details | (text)": says(r"(?:Task was not acquired|No agent on master node\(?s?\)? found to be active).*")},
        Cause.UNKNOWN,
        "the master did not take the job: most often it was out of memory",
        source=JOBS,
    ),
    rule(
        "driver-exit",
        {"details | (text)": says(r"(?:Job failed with message \[.*|Driver exited with exit code \d{1,3}\.?)")},
        Cause.APPLICATION,
        "the driver failed by its own fault",
        source=JOBS,
    ),
)

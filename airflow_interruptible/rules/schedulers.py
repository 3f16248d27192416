# SPDX-License-Identifier: Apache-2.0
"""Other schedulers: dstack, Slurm, SkyPilot, Docker Swarm, GitHub runners, Metaflow, Nextflow.

The trap: "preempted" is Slurm's word for a job of higher priority, and SkyPilot's for anything it cannot reach.
"""

from __future__ import annotations

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.core.surface import Surface

SURFACE = Surface(
    services={"other": ("dstack", "slurm", "skypilot", "sky", "swarm", "docker-swarm", "github", "github-actions")},
    envelopes=("job", "run"),
    aliases={"job_state": "JobState", "error_code": "termination_reason"},
)

DSTACK = "https://github.com/dstackai/dstack/blob/master/src/dstack/_internal/core/models/runs.py"
SLURM = "https://slurm.schedmd.com/job_state_codes.html"
SKYPILOT = "https://docs.skypilot.co/en/latest/examples/managed-jobs.html"
SWARM = "https://github.com/chanzuckerberg/miniwdl/blob/main/WDL/runtime/backend/docker_swarm.py"
GITHUB = "https://docs.github.com/actions/hosting-your-own-runners"

STEP = r"(?:slurmstepd: )?(?:error: )?(?:\*\*\* (?:STEP|JOB) [\w.]* ?(?:ON \S+ )?CANCELLED (?:AT \S+ )?)?"

METAFLOW = "https://github.com/Netflix/metaflow/tree/master/metaflow/plugins/kubernetes"
NEXTFLOW = "https://github.com/nextflow-io/nextflow/tree/master/modules/nextflow/src/main/groovy/nextflow/cloud"

SKY_LOG = r"(?:[IWE] \d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \w+\.py:\d+\] )?"

rule = Table("scheduler", ("other",), DSTACK)
on_machines = Table("scheduler", ("other", "ec2", "gce"), NEXTFLOW)

RULES = (
    rule(
        "dstack-person",
        {"termination_reason": ("terminated_by_user", "aborted_by_user", "stopped_by_user")},
        Cause.USER_ACTION,
        "somebody stopped the run",
    ),
    rule(
        "dstack-own-fault",
        {
            "termination_reason": words("""
                container_exited_with_error ports_binding_failed creating_container_error max_duration_exceeded
                inactivity_duration_exceeded terminated_due_to_utilization_policy log_quota_exceeded
            """)
        },
        Cause.APPLICATION,
        "the run failed or ended by its own limits",
    ),
    rule(
        "dstack-interrupted",
        {"termination_reason": "interrupted_by_no_capacity"},
        Cause.SPOT_INTERRUPTION,
        "the cloud took the spot instance back",
    ),
    rule(
        "dstack-no-capacity",
        {"termination_reason": "failed_to_start_due_to_no_capacity"},
        Cause.NO_CAPACITY,
        "no offer had capacity",
    ),
    rule(
        "dstack-lost",
        {
            "termination_reason": (
                "instance_unreachable",
                "waiting_instance_limit_exceeded",
                "waiting_runner_limit_exceeded",
            )
        },
        Cause.INFRASTRUCTURE,
        "the instance did not answer",
    ),
    rule(
        "slurm-own-fault",
        {"JobState": ("TIMEOUT", "OUT_OF_MEMORY", "DEADLINE", "FAILED")},
        Cause.APPLICATION,
        "the job failed or ended by its own limits",
        source=SLURM,
    ),
    rule("slurm-person", {"JobState": "CANCELLED"}, Cause.USER_ACTION, "somebody cancelled the job", source=SLURM),
    rule(
        "slurm-lost",
        {"JobState": ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REQUEUED")},
        Cause.INFRASTRUCTURE,
        "the node failed, or a job of higher priority took it",
        source=SLURM,
    ),
    rule(
        "slurm-limit-message",
        {"(text)": says(STEP + r"DUE TO TIME LIMIT(?: \*\*\*)?")},
        Cause.APPLICATION,
        "the job ran longer than its own limit",
        source=SLURM,
    ),
    rule(
        "slurm-lost-message",
        {"(text)": says(STEP + r"DUE TO (?:NODE FAILURE|PREEMPTION)\b.{0,80}")},
        Cause.INFRASTRUCTURE,
        "the node failed, or a job of higher priority took it",
        source=SLURM,
    ),
    rule(
        "swarm-lost",
        {"state": ("running", "orphaned"), "exit_code": -1},
        Cause.INFRASTRUCTURE,
        "the worker under the service went away",
        source=SWARM,
    ),
    rule(
        "skypilot-unreachable-on-spot",
        {"(text)": says(SKY_LOG + r"Cluster is preempted or failed\b.*")},
        Cause.SPOT_INTERRUPTION,
        "SkyPilot lost the spot cluster",
        source=SKYPILOT,
        needs=CapacityType.SPOT,
    ),
    rule(
        "skypilot-unreachable-on-demand",
        {"(text)": says(SKY_LOG + r"Cluster is preempted or failed\b.*")},
        Cause.INFRASTRUCTURE,
        "SkyPilot could not reach the cluster",
        source=SKYPILOT,
        needs=CapacityType.ON_DEMAND,
    ),
    rule(
        "skypilot-unreachable",
        {"(text)": says(SKY_LOG + r"Cluster is preempted or failed\b.*")},
        Cause.UNKNOWN,
        "SkyPilot could not reach the cluster, which may be a busy one",
        source=SKYPILOT,
    ),
    rule(
        "github-lost",
        {"(text)": says(r"The (?:self-hosted|hosted) runner(?::? \S+)? lost communication with the server\..*")},
        Cause.INFRASTRUCTURE,
        "the runner went away",
        source=GITHUB,
    ),
    on_machines(
        "metaflow-notice",
        {"field | name | key": words("spot-termination-received-at spot-termination-time")},
        Cause.SPOT_INTERRUPTION,
        "Metaflow's monitor saw the Spot interruption notice",
        source=METAFLOW,
    ),
    on_machines(
        "nextflow-notice",
        {"(text)": says(r"Cloud spot termination notice detected: .*")},
        Cause.SPOT_INTERRUPTION,
        "Nextflow saw the Spot interruption notice",
    ),
)

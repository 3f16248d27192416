# SPDX-License-Identifier: Apache-2.0
"""Apache Spark and YARN, wherever they run: container exit statuses and the documented loss reasons of executors.

The trap: in YARN's mouth "preempted" is the fair scheduler's word, and never about spot.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words

YARN = "https://github.com/apache/hadoop/blob/trunk/hadoop-yarn-project/hadoop-yarn/hadoop-yarn-server/hadoop-yarn-server-resourcemanager/src/main/java/org/apache/hadoop/yarn/server/resourcemanager/scheduler/SchedulerUtils.java"
STATUS = "https://hadoop.apache.org/docs/stable/api/org/apache/hadoop/yarn/api/records/ContainerExitStatus.html"
LOSS = "https://github.com/apache/spark/blob/master/core/src/main/scala/org/apache/spark/scheduler/ExecutorLossReason.scala"
DATABRICKS = "https://docs.databricks.com/en/compute/configure.html#decommission-spot-instances"

EXIT = "exitStatus | exit_status"
MESSAGE = "(text) | StateChangeReason.Message | ErrorMessage | details | state_message | Reason"
LOST = r"(?:ExecutorLostFailure \(executor \d{1,6} exited [^)]{0,80}\) Reason: )?"
YARN_EXIT = r"(?:Container marked as failed: \S+ on host: \S+ Exit status: -?\d{1,3}\. Diagnostics: )?"

rule = Table("spark", ("emr", "dataproc", "databricks", "glue"), YARN)

RULES = (
    rule(
        "yarn-memory",
        {MESSAGE: says(LOST + r"Container killed by YARN for exceeding (?:physical |virtual )?memory limits.*")},
        Cause.APPLICATION,
        "an executor used more memory than its container has",
        source=STATUS,
    ),
    rule(
        "yarn-memory-status",
        {EXIT: words("-103 -104 KILLED_EXCEEDED_VMEM KILLED_EXCEEDED_PMEM")},
        Cause.APPLICATION,
        "a container used more memory than it has",
        source=STATUS,
    ),
    rule(
        "spot-decommission",
        {
            MESSAGE: says(
                LOST + r"(?:Executor decommission: )?worker decommissioned because of spot instance preemption\.?"
            )
        },
        Cause.SPOT_INTERRUPTION,
        "a worker was decommissioned for the loss of its spot instance",
        source=DATABRICKS,
    ),
    rule(
        "decommission",
        {MESSAGE: says(LOST + r"Executor decommission: spark scale down\.?")},
        Cause.INFRASTRUCTURE,
        "Spark scaled down",
        source=LOSS,
    ),
    rule(
        "lost-node",
        {MESSAGE: says(LOST + YARN_EXIT + r"Container released on a \*lost\* node\.?")},
        Cause.INFRASTRUCTURE,
        "the node under a container was lost",
    ),
    rule(
        "yarn-preempted",
        {MESSAGE: says(LOST + YARN_EXIT + r"Container preempted by scheduler\.?")},
        Cause.INFRASTRUCTURE,
        "YARN made room for another queue",
    ),
    rule(
        "killed-by-person",
        {MESSAGE: says(r"(?:Application application_\d+_\d+ was killed by user .*|Application killed by user\.?)")},
        Cause.USER_ACTION,
        "somebody killed the application",
        source="https://github.com/apache/hadoop/blob/trunk/hadoop-yarn-project/hadoop-yarn/hadoop-yarn-server/hadoop-yarn-server-resourcemanager",
    ),
    rule(
        "logs",
        {EXIT: words("-109 KILLED_FOR_EXCESS_LOGS")},
        Cause.APPLICATION,
        "a container wrote more logs than it may",
        source=STATUS,
    ),
    rule(
        "yarn-undecided",
        {
            EXIT: words("""
                -105 -106 -107 -1000 KILLED_BY_APPMASTER KILLED_BY_RESOURCEMANAGER KILLED_AFTER_APP_COMPLETION INVALID
            """)
        },
        Cause.UNKNOWN,
        "YARN ended the container on request, and the status does not say whose",
        source=STATUS,
    ),
    rule(
        "worker-lost",
        {MESSAGE: says(LOST + r"[Ww]orker lost\.?")},
        Cause.INFRASTRUCTURE,
        "a worker was lost",
        source=LOSS,
    ),
    rule(
        "yarn-status",
        {EXIT: words("-100 -101 -102 -108 ABORTED DISKS_FAILED PREEMPTED KILLED_BY_CONTAINER_SCHEDULER")},
        Cause.INFRASTRUCTURE,
        "YARN ended the container: a lost node, a failed disk, another queue",
        source=STATUS,
    ),
)

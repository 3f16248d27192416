# SPDX-License-Identifier: Apache-2.0
"""Airflow's own messages. Those in which it wraps a vendor's answer are in ``airflow_sentences``.

The trap: user code raises whatever it likes, so nothing here matches a word; only messages that Airflow itself writes,
whole.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says

REPOSITORY = "https://github.com/apache/airflow/blob/main"
KUBERNETES = f"{REPOSITORY}/providers/cncf/kubernetes/src/airflow/providers/cncf/kubernetes"
POD_MANAGER = f"{KUBERNETES}/utils/pod_manager.py"
EXECUTOR = f"{KUBERNETES}/executors/kubernetes_executor.py"
SCHEDULER = f"{REPOSITORY}/airflow-core/src/airflow/jobs/scheduler_job_runner.py"
SUPERVISOR = f"{REPOSITORY}/task-sdk/src/airflow/sdk/execution_time/supervisor.py"
CELERY = "https://github.com/celery/billiard/blob/main/billiard/pool.py"

RAISED = r"(?:airflow\.(?:[a-z_]+\.)?exceptions\.\w+: )?"

rule = Table("airflow", ("airflow",), SCHEDULER)

RULES = (
    rule(
        "work-outlived-worker",
        {"launched.phase": ("Pending", "Running", "Succeeded")},
        Cause.INFRASTRUCTURE,
        "only the Airflow worker was lost: the work that it had launched did not fail",
        source=f"{KUBERNETES}/operators/pod.py",
    ),
    rule(
        "work-found-no-machine",
        {"launched.phase": "Waiting"},
        Cause.NO_CAPACITY,
        "the work that it had launched found no spot machine within spot_timeout",
        source="https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html",
    ),
    rule(
        "ended-by-person",
        {
            "(text)": says(
                r"(?:Server indicated the task shouldn't be running anymore(?:\. Terminating process)?"
                r"|State of this instance has been externally set to \w+\. Terminating instance\."
                r"|Task was marked as \w+ externally\.?)\.?"
            )
        },
        Cause.USER_ACTION,
        "somebody cleared the task or set its state",
        source=SUPERVISOR,
    ),
    rule(
        "execution-timeout",
        {"(text)": says(RAISED + r"(?:AirflowTaskTimeout: )?Timeout, PID: \d+")},
        Cause.APPLICATION,
        "the task ran longer than its execution_timeout",
        source=f"{REPOSITORY}/task-sdk/src/airflow/sdk/execution_time/timeout.py",
    ),
    rule(
        "never-started",
        {"ti_state": ("queued", "scheduled")},
        Cause.INFRASTRUCTURE,
        "the executor lost the task before any of its code ran",
    ),
    rule(
        "ended-while-running",
        {"ti_state": ("running", "deferred", "up_for_retry")},
        Cause.UNKNOWN,
        "the executor saw the task end, and does not say why",
    ),
    rule(
        "stuck-in-queued",
        {
            "(text)": says(
                r"Task (?:stuck in queued; will try to requeue\.|requeue attempts exceeded max; marking failed\.).*"
            )
        },
        Cause.INFRASTRUCTURE,
        "no worker took the task: it never ran",
    ),
    rule(
        "no-spot-for-executor",
        {"(text)": says(r"(?:ECS task|Batch job) \S{1,300} found no spot capacity within \d{1,6} s\.?")},
        Cause.NO_CAPACITY,
        "no spot machine could take the attempt in time",
        source="https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html",
    ),
    rule(
        "pod-not-scheduled",
        {
            "(text)": says(
                RAISED + r"Pod took too long to be scheduled on the cluster, giving up\. More than \d+s\."
                r" Check the pod events in kubernetes\."
            )
        },
        Cause.NO_CAPACITY,
        "no node could take the pod in time",
        source=POD_MANAGER,
    ),
    rule(
        "pod-not-started",
        {"(text)": says(RAISED + r"Pod took (?:too long|longer than \d+ seconds) to start\..*")},
        Cause.UNKNOWN,
        "the pod did not start in time: a slow image, a wrong one, or a lost node",
        source=POD_MANAGER,
    ),
    rule(
        "pod-never-ran",
        {"(text)": says(RAISED + r"Pod failed before containers started\.?")},
        Cause.INFRASTRUCTURE,
        "the pod failed before any container ran",
        source=POD_MANAGER,
    ),
    rule(
        "pod-requeued",
        {
            "(text)": says(
                r"(?:\[Try \d+ of \d+\] )?Pod \S+ for task .{1,300}"
                r" failed before the task process started \(container_reason: [^)]*\)\."
                r" Requeuing without consuming a task retry\."
            )
        },
        Cause.INFRASTRUCTURE,
        "the pod failed before the task's process ran",
        source=EXECUTOR,
    ),
    rule(
        "worker-terminated",
        {"worker_signal": 15},
        Cause.INFRASTRUCTURE,
        "the worker was told to go: a drain or a scale-down",
        source=CELERY,
    ),
    rule(
        "worker-killed",
        {"worker_signal": 9},
        Cause.UNKNOWN,
        "the worker was killed, by the kernel for its memory or from outside",
        source=CELERY,
    ),
    rule(
        "worker-crashed",
        {"worker_signal | worker_exit": range(1, 129)},
        Cause.APPLICATION,
        "the process crashed",
        source=CELERY,
    ),
    rule(
        "sigterm",
        {"(text)": says(RAISED + r"(?:Task received SIGTERM signal|Received SIGTERM\. Terminating subprocesses\.?)")},
        Cause.UNKNOWN,
        "the task was told to go, and the message does not say by whom",
    ),
    rule(
        "no-heartbeat",
        {
            "(text)": says(
                r"(?:Detected a task instance without a heartbeat|Detected zombie job"
                r"|Task did not emit heartbeat within time limit).*"
            )
        },
        Cause.UNKNOWN,
        "the task stopped reporting, which is all that is known",
    ),
    rule(
        "process-signalled",
        {"(text)": says(r"Process terminated by signal\..*")},
        Cause.UNKNOWN,
        "the process was ended by a signal; what Airflow adds about memory is a guess",
        source=SUPERVISOR,
    ),
)

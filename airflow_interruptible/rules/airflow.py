# SPDX-License-Identifier: Apache-2.0
"""Airflow's own messages, and those in which its operators wrap a vendor's answer.

The trap: user code raises whatever it likes, so nothing here matches a word; only messages that Airflow itself writes,
whole. Where an operator put a vendor's answer into its exception, that answer is read as if it had come alone.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says
from airflow_interruptible.core.surface import Surface, reading, wrapper

TASK = r"<TaskInstance: .{1,300} \[(?P<ti_state>\w+)\].{0,80}>"
MISMATCH = (
    r"(?:The executor|Executor \w+\(.{0,80}\)|Executor \w{1,80}) reported that the task instance"
    rf" {TASK} finished with state failed, but the task instance's state attribute is \w+\."
)
"""How the scheduler words an end that only the executor saw, since 2.9; its reason, if any, follows."""
OLDER_MISMATCH = rf"Executor reports task instance {TASK} finished \(failed\) although the task says it's \w+\."

SURFACE = Surface(
    services={"airflow": ("apache-airflow", "celery", "scheduler")},
    wrappers=(
        wrapper(MISMATCH + r" Learn more: \S{1,200} Extra info: (?P<inner>.*)"),
        wrapper(OLDER_MISMATCH + r" ?\(Info: (?P<inner>.*?)\)(?: Was the task killed externally\?)?"),
        wrapper(r"(?:\[[\dT:., +Z-]{8,40}\] )?\{[\w.]{1,80}:\d{1,6}\} [A-Z]{4,8} - (?P<inner>.+)"),
        wrapper(r"(?:airflow\.[\w.]{1,150}|Airflow\w{0,40}Exception|(?:Pod|Ecs)\w{1,40}): (?P<inner>.+)"),
        wrapper(
            r"AWS Batch job \([^)]*\) (?:failed|is not complete|has unknown status): (?P<embedded>\{.*)",
            service="batch",
        ),
        wrapper(r"This task is not in success state (?P<embedded>\{.*)", service="ecs"),
        wrapper(r"The task was stopped because the host instance terminated: (?P<stoppedReason>.*)", service="ecs"),
        wrapper(r"The task failed to start due to: (?P<stoppedReason>.*)", service="ecs"),
        wrapper(r"This containers encounter an error during launching: (?P<containers__reason>.*)", service="ecs"),
        wrapper(r"(?P<embedded>\{'(?:tasks|failures)': \[.*'ResponseMetadata': .*)", service="ecs"),
        wrapper(
            r"EMR Containers job failed\. Final state is \w+\. query_execution_id is \S+\. "
            r"Error: (?P<failureReason>[A-Z_]+) - .*",
            service="emr",
        ),
        wrapper(r"(?:SageMaker|Sagemaker) (?:job|resource) failed because (?P<FailureReason>.*)", service="sagemaker"),
        wrapper(
            r"Sagemaker [\w ]{1,40} failed for the following reason: (?P<FailureReason>.*)",
            service="sagemaker",
        ),
        wrapper(
            r"Error training \S{1,80}: (?P<TrainingJobStatus>\w+) Reason: (?P<FailureReason>.*)", service="sagemaker"
        ),
        wrapper(
            r"EMR job failed: for code: (?P<StateChangeReason__Code>[A-Z_]+) with message"
            r" (?P<StateChangeReason__Message>.*)",
            service="emr",
        ),
        wrapper(r"EMR Serverless job failed: (?P<stateDetails>.*)", service="emr"),
        wrapper(
            r"\(?.?Exiting Job (?:%s Run State: %s., .)?jr_\w{1,80}(?: Run State: |., .)(?P<JobRunState>[A-Z]+).?\)?",
            service="glue",
        ),
        wrapper(r"Error in glue job: (?P<embedded>\{.*)", service="glue"),
        wrapper(r"Batch job \S{1,80} failed with error: (?P<details>.*?)\.?\nDriver logs: .*", service="dataproc"),
        wrapper(
            r"Databricks job failed with state \w{1,40}\. Message: (?P<state_message>.*?)\. Errors: \[.*",
            service="databricks",
        ),
        wrapper(
            r"Task failed\. Final state (?P<result_state>\w{1,40})\. Reason: (?P<state_message>.*?)\. Errors: \[.*",
            service="databricks",
        ),
        wrapper(
            r"Airflow (?:task|workload) .{1,300} failed due to (?P<stoppedReason>.*?)\. Failure \d{1,4} out of \d{1,4}"
            r" occurred on arn:aws[\w-]{0,10}:ecs:\S{1,200}\. Rescheduling\.",
            service="ecs",
        ),
        wrapper(
            r"Airflow (?:task|workload) .{1,300} failed due to (?P<statusReason>.*?)\. Failure \d{1,4} out of \d{1,4}"
            r" occurred on [\w:-]{1,80}\. Rescheduling\.",
            service="batch",
        ),
        wrapper(r"ECS task \S{1,300} ended: (?P<embedded>\{.*)", service="ecs"),
        wrapper(r"Batch job \S{1,80} ended: (?P<embedded>\{.*)", service="batch"),
        wrapper(
            r"Task could not be queued after \d{1,4} attempts\. Marking as failed\. Reasons: (?P<failures__reason>.*)",
            service="ecs",
        ),
        wrapper(r"Pod failed because of (?P<reason>(?!None\b)\w+)", service="k8s"),
        wrapper(
            r"Task .{1,400} failed in pod \S{1,320}\. Pod phase: (?P<phase>\w{1,20}),"
            r" reason: (?:None|(?P<reason>[\w-]{1,80})), message: (?:None|(?P<message>.*?)),"
            r" container_type: (?:None|init|main), container_name: \S{1,80}, container_state: (?:"
            r"None, container_reason: None"
            r"|waiting, container_reason: (?:None|(?P<waiting__reason>\w{1,80}))"
            r"|terminated, container_reason: (?:None|(?P<terminated__reason>\w{1,80}))"
            r"), container_message: .*, exit_code: (?:None|(?P<terminated__exitCode>-?\d{1,6}))",
            service="k8s",
        ),
        wrapper(
            r"Image cannot be pulled, unable to start: (?P<waiting__reason>\w{1,80})\n(?P<waiting__message>.*)",
            service="k8s",
        ),
        wrapper(r"Pod Event: (?P<reason>\w{1,80}) - (?P<message>.*)", service="k8s"),
        wrapper(r"Pod \S+ returned a failure\.\s+remote_pod: (?P<embedded>\{.*)", service="k8s"),
        wrapper(r"(?:\S+|Job run) failed with terminal state: (?P<embedded>\{.*)", service="databricks"),
    ),
    readings=(
        reading(MISMATCH + r".*"),
        reading(OLDER_MISMATCH + r".*"),
        reading(
            r"(?:WorkerLostError\(.|(?:celery|billiard)\.exceptions\.WorkerLostError: )?Worker exited prematurely: "
            r"(?:signal (?P<worker_signal>\d{1,2}) \(\w+\)|exitcode (?P<worker_exit>\d{1,3}))\.? ?Job: \d+\..{0,4}"
        ),
    ),
)

REPOSITORY = "https://github.com/apache/airflow/blob/main"
KUBERNETES = f"{REPOSITORY}/providers/cncf/kubernetes/src/airflow/providers/cncf/kubernetes"
POD_MANAGER = f"{KUBERNETES}/utils/pod_manager.py"
EXECUTOR = f"{KUBERNETES}/executors/kubernetes_executor.py"
SCHEDULER = f"{REPOSITORY}/airflow-core/src/airflow/jobs/scheduler_job_runner.py"
SUPERVISOR = f"{REPOSITORY}/task-sdk/src/airflow/sdk/execution_time/supervisor.py"
CELERY = "https://github.com/celery/billiard/blob/main/billiard/pool.py"

LOG = r"(?:\{[\w.]+:\d+\} [A-Z]+ - )?"
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
                LOG + r"(?:Server indicated the task shouldn't be running anymore(?:\. Terminating process)?"
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
        {"(text)": says(LOG + RAISED + r"(?:AirflowTaskTimeout: )?Timeout, PID: \d+")},
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
                LOG
                + r"Task (?:stuck in queued; will try to requeue\.|requeue attempts exceeded max; marking failed\.).*"
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
                LOG + RAISED + r"Pod took too long to be scheduled on the cluster, giving up\. More than \d+s\."
                r" Check the pod events in kubernetes\."
            )
        },
        Cause.NO_CAPACITY,
        "no node could take the pod in time",
        source=POD_MANAGER,
    ),
    rule(
        "pod-not-started",
        {"(text)": says(LOG + RAISED + r"Pod took (?:too long|longer than \d+ seconds) to start\..*")},
        Cause.UNKNOWN,
        "the pod did not start in time: a slow image, a wrong one, or a lost node",
        source=POD_MANAGER,
    ),
    rule(
        "pod-never-ran",
        {"(text)": says(LOG + RAISED + r"Pod failed before containers started\.?")},
        Cause.INFRASTRUCTURE,
        "the pod failed before any container ran",
        source=POD_MANAGER,
    ),
    rule(
        "pod-requeued",
        {
            "(text)": says(
                LOG + r"(?:\[Try \d+ of \d+\] )?Pod \S+ for task .{1,300}"
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
        {
            "(text)": says(
                LOG + RAISED + r"(?:Task received SIGTERM signal|Received SIGTERM\. Terminating subprocesses\.?)"
            )
        },
        Cause.UNKNOWN,
        "the task was told to go, and the message does not say by whom",
    ),
    rule(
        "no-heartbeat",
        {
            "(text)": says(
                LOG + r"(?:Detected a task instance without a heartbeat|Detected zombie job"
                r"|Task did not emit heartbeat within time limit).*"
            )
        },
        Cause.UNKNOWN,
        "the task stopped reporting, which is all that is known",
    ),
    rule(
        "process-signalled",
        {"(text)": says(LOG + r"Process terminated by signal\..*")},
        Cause.UNKNOWN,
        "the process was ended by a signal; what Airflow adds about memory is a guess",
        source=SUPERVISOR,
    ),
)

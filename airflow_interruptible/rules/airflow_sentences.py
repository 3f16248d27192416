# SPDX-License-Identifier: Apache-2.0
"""The sentences in which Airflow, its providers and its logs wrap what somebody else said.

What they hold is read as if it had come alone. The trap: the author's output stands in the same logs, and an author may
raise any text, so only sentences of Airflow's own modules are opened, and only whole ones.
"""

from __future__ import annotations

from airflow_interruptible.core.surface import Sentence, Surface, reading, wrapper

TASK = r"<TaskInstance: .{1,300} \[(?P<ti_state>\w+)\].{0,80}>"
MISMATCH = (
    r"(?:The executor|Executor \w+\(.{0,80}\)|Executor \w{1,80}) reported that the task instance"
    rf" {TASK} finished with state failed, but the task instance's state attribute is \w+\."
)
"""How the scheduler words an end that only the executor saw, since 2.9; its reason, if any, follows."""
OLDER_MISMATCH = rf"Executor reports task instance {TASK} finished \(failed\) although the task says it's \w+\."

CORE = (
    r"taskinstance|standard_task_runner|local_task_job(?:_runner)?|scheduler_job(?:_runner)?|supervisor|task_runner"
    r"|triggerer_job(?:_runner)?|base_executor|base_job_runner|dagrun"
    r"|(?:kubernetes|celery|ecs|batch|edge|local|aws_lambda)_executor(?:_utils)?"
)
"""Modules of Airflow that log only their own words. The author's output comes as ``logging_mixin``, ``subprocess`` and
the author's own files, and no such line is opened."""
HANDING_ON = (
    r"pod|pod_manager|pod_launcher|job|custom_object_launcher|spark_kubernetes|kubernetes_pod|waiter(?:_with_logging)?"
    r"|ecs|batch|batch_client|emr|sagemaker|glue|eks|dataproc|cloud_batch|databricks\w{0,20}"
)
"""Modules of the providers, some of which log the output of the author's containers, too. They do so as ``INFO``."""

SPEAKER = r"airflow\.(?:jobs|executors|providers\.[\w.]{1,80}\.executors)\.[\w.]{1,120}"
"""The loggers of the scheduler and the executors. An author may use others of Airflow's, ``airflow.task`` above all."""
PACKAGES = "/(?:site|dist)-packages/airflow/"
"""Where Airflow's own code lies, which raises what a provider worded. A Dag file elsewhere may raise any text."""
STAMP = r"(?:\[?[\dT:., +Z-]{8,40}(?:[A-Z]{3,4})?\]? )?"
LOG_LINES = (
    # Airflow 1.10 and 2
    wrapper(rf"{STAMP}\{{(?:{CORE})\.py:\d{{1,6}}\}} [A-Z]{{4,8}} - (?P<inner>.+)"),
    wrapper(rf"{STAMP}\{{(?:{HANDING_ON})\.py:\d{{1,6}}\}} (?:WARNING|ERROR|CRITICAL) - (?P<inner>.+)"),
    wrapper(rf"(?:\[[^\[\]]{{1,60}}\]){{0,4}}\[{SPEAKER}\] (?P<inner>.+)"),
    # Airflow 3
    wrapper(
        r"\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:?\d\d) \[(?:warning|error|critical|info|debug) {0,6}\] "
        rf"(?P<inner>.+?) +\[{SPEAKER}\](?: loc=\w{{1,80}}\.py:\d{{1,6}}.{{0,400}})?"
    ),
    wrapper(
        r"(?:Task failed with exception\n)?Traceback \(most recent call last\):\n(?:(?!Traceback \().)*"
        r"  File \"[^\"\n]{0,400}" + PACKAGES + r"[^\"\n]{0,300}\", line \d{1,6},"
        r" in \w+\n(?:    [^\n]*\n){1,4}(?P<inner>airflow\.[\w.]{1,150}: (?:(?!Traceback \().)*)"
    ),
)
"""What stands around a sentence in a log. A traceback counts only if Airflow's own code raised the exception."""

SURFACE = Surface(
    services={"airflow": ("apache-airflow", "celery", "scheduler")},
    sentences=(
        Sentence(("error_detail", 0, "exc_value"), ("error_detail", 0, "frames", -1, "filename"), rf".*{PACKAGES}.*"),
        Sentence(("event",), ("logger",), SPEAKER),
    ),
    wrappers=(
        wrapper(MISMATCH + r" Learn more: \S{1,200} Extra info: (?P<inner>.*)"),
        wrapper(OLDER_MISMATCH + r" ?\(Info: (?P<inner>.*?)\)(?: Was the task killed externally\?)?"),
        *LOG_LINES,
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
        wrapper(
            r"Glue job run jr_\w{1,80} for job .{1,255} ended in state '(?P<JobRunState>[A-Z]+)'"
            r" instead of succeeding\.",
            service="glue",
        ),
        wrapper(r"Error in glue job: (?P<embedded>\{.*)", service="glue"),
        wrapper(r"Batch job \S{1,80} failed with error: (?P<details>.*?)\.?\nDriver logs: .*", service="dataproc"),
        wrapper(r"Batch job \S{1,80} was (?P<state>cancelled)\.\nDriver logs: .*", service="dataproc"),
        wrapper(
            r"Job (?:\S{1,100} )?(?:failed|was cancelled):\n(?:.*\n)?status \{\n  state: (?P<state>[A-Z_]+)\n"
            r"(?:  details: \"(?P<details>(?:[^\"\\]|\\.)*)\"\n)?.*",
            service="dataproc",
        ),
        wrapper(r"Unexpected error in the operation: (?P<inner>Batch job with name .*)", service="gcpbatch"),
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
            r"(?:Task could not be queued after \d{1,4} attempts"
            r"|ECS workload .{1,300} has failed a maximum of \d{1,4} times)"
            r"\. Marking as failed\. Reasons: (?P<failures__reason>[^,]*?)(?:, (?P=failures__reason))*",
            service="ecs",
        ),
        wrapper(
            r"The ECS task failed due to the following containers failing:\n\S{1,300} - (?P<containers__reason>[^\n]*)",
            service="ecs",
        ),
        wrapper(
            r"Pod failed because of (?P<reason>(?!None\b|unknown\b)\w+)"
            r"(?: \(container: \S{1,80}, exit code: (?P<terminated__exitCode>-?\d{1,6})\))?",
            service="k8s",
        ),
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
        wrapper(
            r"Spark Job Failed\. Status: (?P<waiting__reason>\w{1,80}), Error: (?P<waiting__message>.*)", service="k8s"
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
            r"(?:signal (?P<worker_signal>\d{1,2}) \(\w+\)|exitcode (?P<worker_exit>\d{1,3}))\.?(?: ?Job: \d+\.)?.{0,4}"
        ),
    ),
)

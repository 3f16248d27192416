# SPDX-License-Identifier: Apache-2.0
"""### EMR: clusters on spot task nodes, serverless jobs on spare capacity

**What.** `count` creates a cluster with its steps and waits until both are gone; its task nodes are spot instances, and
on-demand ones in the last user attempt. `summarise` runs a serverless job on flexible capacity, and on standard one in
the last user attempt.

**Why.** Task nodes do most of the work and hold no data, so they may be lost. The word is the Dag's, the operators are
stock ones.

**When.** EmrCreateJobFlowOperator with its steps in the job flow, and EmrServerlessStartJobOperator, sync or
deferrable, mapped or not, under any executor.

**Prerequisites.** The connection `aws_default`, the default roles of EMR, an application `app` of EMR Serverless, and a
boto3 of 1.44 or later for the latter.
"""

from airflow.providers.amazon.aws.operators.emr import EmrCreateJobFlowOperator, EmrServerlessStartJobOperator
from airflow.providers.amazon.aws.utils.waiter import WaitPolicy
from airflow.sdk import dag

JOB_FLOW = {
    "Name": "count",
    "ReleaseLabel": "emr-7.5.0",
    "ServiceRole": "EMR_DefaultRole",
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "Instances": {
        "InstanceGroups": [
            {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
            {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 4},
        ],
    },
    "Steps": [
        {
            "Name": "count",
            "ActionOnFailure": "TERMINATE_CLUSTER",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://example-bucket/count.py"]},
        }
    ],
}


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_emr():
    count = EmrCreateJobFlowOperator(
        task_id="count", job_flow_overrides=JOB_FLOW, emr_conn_id=None, wait_policy=WaitPolicy.WAIT_FOR_STEPS_COMPLETION
    )
    count >> EmrServerlessStartJobOperator(
        task_id="summarise",
        application_id="app",
        execution_role_arn="arn:aws:iam::123456789012:role/example",
        job_driver={"sparkSubmit": {"entryPoint": "s3://example-bucket/summarise.py"}},
        waiter_delay=1,
    )


example_interruptible_emr()

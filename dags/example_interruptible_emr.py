# SPDX-License-Identifier: Apache-2.0
"""### EMR clusters on spot task nodes, and off them

**What.** `count` creates a cluster with its steps and waits until both are gone; its task nodes are spot instances, and
on-demand ones in the last user attempt.

**Why.** Task nodes do most of the work and hold no data, so they may be lost. The word is the Dag's, the operator is a
stock one.

**When.** EmrCreateJobFlowOperator with its steps in the job flow, sync or deferrable, mapped or not, under any
executor.

**Prerequisites.** The connection `aws_default`, and the default roles of EMR.
"""

from airflow.providers.amazon.aws.operators.emr import EmrCreateJobFlowOperator
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
    EmrCreateJobFlowOperator(
        task_id="count", job_flow_overrides=JOB_FLOW, emr_conn_id=None, wait_policy=WaitPolicy.WAIT_FOR_STEPS_COMPLETION
    )


example_interruptible_emr()

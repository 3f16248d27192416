# SPDX-License-Identifier: Apache-2.0
"""### Glue jobs on spare capacity, and off it

**What.** `clean` runs a Glue job of the execution class FLEX, and of STANDARD in the last user attempt. One that finds
no spare capacity is forgiven, and tried as STANDARD.

**Why.** Flexible runs cost about a third less, and may wait. The word is the Dag's, the operator is a stock one.

**When.** GlueJobOperator on Spark jobs of Glue 3.0 and later with G.1X or G.2X workers, sync or deferrable, mapped or
not, under any executor.

**Prerequisites.** The connection `aws_default`, and a Glue job `clean` whose own `MaxRetries` is 0.
"""

from airflow.providers.amazon.aws.operators.glue import GlueJobOperator
from airflow.sdk import dag


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_glue():
    GlueJobOperator(task_id="clean", job_name="clean", run_job_kwargs={"WorkerType": "G.1X", "NumberOfWorkers": 4})


example_interruptible_glue()

# SPDX-License-Identifier: Apache-2.0
"""### SageMaker training on managed spot, and off it

**What.** `tune` looks for hyperparameters and `fit` trains a model, both on managed spot instances, and on demand in
the last user attempt. A job that was interrupted is forgiven, one that found no capacity is tried on demand, and all
attempts of `fit` go on from the same checkpoint.

**Why.** Training on GPUs is where spot saves most. SageMaker tells what it has billed, and the history of the attempt
keeps it.

**When.** SageMakerTrainingOperator and SageMakerTuningOperator, sync or deferrable, mapped or not, under any executor.

**Prerequisites.** The connection `aws_default`, a role for SageMaker, a bucket and an image.
"""

from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator, SageMakerTuningOperator
from airflow.sdk import dag

JOB = {
    "TrainingJobName": "fit-{{ ts_nodash }}",
    "RoleArn": "arn:aws:iam::123456789012:role/example",
    "AlgorithmSpecification": {"TrainingImage": "example/train:1", "TrainingInputMode": "File"},
    "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "CheckpointConfig": {"S3Uri": "s3://example-bucket/checkpoints/{{ ts_nodash }}"},
    "OutputDataConfig": {"S3OutputPath": "s3://example-bucket/models"},
}

DATA = {
    "FileSystemDataSource": {
        "FileSystemId": "fs-0123456789a",
        "FileSystemAccessMode": "ro",
        "FileSystemType": "EFS",
        "DirectoryPath": "/train",
    }
}
TRIAL = {name: value for name, value in JOB.items() if name not in {"TrainingJobName", "CheckpointConfig"}}
TUNING = {
    "HyperParameterTuningJobName": "tune-{{ ts_nodash }}",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 8, "MaxParallelTrainingJobs": 2},
    },
    "TrainingJobDefinition": {**TRIAL, "InputDataConfig": [{"ChannelName": "train", "DataSource": DATA}]},
}


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_sagemaker():
    tune = SageMakerTuningOperator(task_id="tune", config=TUNING, check_interval=1)
    tune >> SageMakerTrainingOperator(task_id="fit", config=JOB, print_log=False, check_interval=1)


example_interruptible_sagemaker()

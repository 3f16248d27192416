# SPDX-License-Identifier: Apache-2.0
"""Managed spot training of Amazon SageMaker, as the request of a training job says it, and each of a tuning job.

SageMaker restarts an interrupted job by itself until ``MaxWaitTimeInSeconds`` is over, so that is set to what the job
may run and ``spot_timeout`` more: then Airflow decides. Without spot the API refuses the same field.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.launched.work import refuse
from airflow_interruptible.settings import get_settings

SPOT = "EnableManagedSpotTraining"
_STOPPING = "StoppingCondition"
_LONGEST = 86_400
"""Seconds that SageMaker lets a job run which does not say how long.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html"""


def check(request: Mapping[str, Any]) -> None:
    """Refuse what contradicts spot, a second party that retries, and checkpoints that the next attempt cannot find.

    :raises ConfigurationError: what, why, and what to do.
    """
    if request.get(SPOT) is False:
        raise refuse(SPOT, False, "the job says that it is never on spot.", "Drop it, or say interruptible=False.")
    if kept := inside(request, "ResourceConfig").get("KeepAlivePeriodInSeconds"):
        why = "SageMaker keeps no warm pool of spot instances."
        raise refuse("KeepAlivePeriodInSeconds", kept, why, "Drop it, or say interruptible=False.")
    if tries := request.get("RetryStrategy"):
        why = "SageMaker would try again by itself, and nobody would count it."
        raise refuse("RetryStrategy", tries, why, "Drop it, and use retries.")
    prefix = inside(request, "CheckpointConfig").get("S3Uri")
    if isinstance(prefix, str) and "try_number" in prefix:
        why = "each attempt would have checkpoints of its own, and begin anew."
        raise refuse("S3Uri", prefix, why, "Leave the try number out, so that all attempts share one prefix.")


def asked(request: Mapping[str, Any]) -> CapacityType | None:
    """Return what a request says; without the field a job is on demand."""
    value = request.get(SPOT, False)
    if not isinstance(value, bool):
        return None
    return CapacityType.SPOT if value else CapacityType.ON_DEMAND


def placed(request: Mapping[str, Any], capacity: CapacityType) -> dict[str, Any]:
    """Return a copy of a request that asks for ``capacity``."""
    changed = deepcopy(dict(request))
    changed[SPOT] = capacity is CapacityType.SPOT
    stopping = dict(inside(changed, _STOPPING))
    if capacity is CapacityType.SPOT:
        longest = int(stopping.setdefault("MaxRuntimeInSeconds", _LONGEST))
        patience = math.ceil(get_settings().spot_timeout.total_seconds())
        stopping["MaxWaitTimeInSeconds"] = int(stopping.get("MaxWaitTimeInSeconds", longest + patience))
    else:
        stopping.pop("MaxWaitTimeInSeconds", None)
    if stopping:
        changed[_STOPPING] = stopping
    return changed


def inside(request: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object in a request, an empty one if there is none."""
    value = request.get(name)
    return value if isinstance(value, Mapping) else {}

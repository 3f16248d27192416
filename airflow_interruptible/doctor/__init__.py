# SPDX-License-Identifier: Apache-2.0
"""What in a deployment breaks a promise of this package, or is about to: asked by ``airflow interruptible doctor``.

Nothing is changed. Each subject is one module with ``check(deployment)``, which yields :class:`.Finding`; a new one is
that module, one line in :data:`CHECKS`, and a line in docs/doctor.md. A check may ask the database, the cluster or the
cloud; it may raise and it may hang: see :mod:`airflow_interruptible.doctor.examination`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = "airflow_interruptible.doctor"

CHECKS: Mapping[str, str] = {
    "versions": f"{_HERE}.versions",
    "the section [interruptible]": f"{_HERE}.own_section",
    "computes": f"{_HERE}.computes",
    "executors that retry by themselves": f"{_HERE}.executor_retries",
    "time-outs": f"{_HERE}.timeouts",
    "grace periods": f"{_HERE}.grace",
    "servers": f"{_HERE}.components",
    "workers": f"{_HERE}.workers",
    "queues of Celery": f"{_HERE}.celery_queues",
    "the executor's Kubernetes cluster": f"{_HERE}.kubernetes",
    "capacity providers of ECS": f"{_HERE}.ecs_providers",
    "queues of AWS Batch": f"{_HERE}.batch_queues",
    "machines in the cloud": f"{_HERE}.machines",
    "the state store": f"{_HERE}.state_store",
}
"""Modules by what they look after. They hold dotted paths, so that nothing is loaded before it is asked."""

# SPDX-License-Identifier: Apache-2.0
"""Looking back at an attempt that vanished: what its pod, its task, its job or its machine says of its end.

What is asked is chosen by what the ledger knows of where it ran, nearest to the process first: a container's own memory
kill says more than the fate of the machine under it. The first answer that a rule understands decides.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.classification import classify
from airflow_interruptible.remote.answer import moment
from airflow_interruptible.remote.limit import latest
from airflow_interruptible.remote.operators import load
from airflow_interruptible.remote.past import Past
from airflow_interruptible.rules import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.core.evidence import Evidence

log = logging.getLogger(__name__)

PLACES: Mapping[str, str] = {
    "batch_job": "airflow_interruptible.remote.batch.look",
    "ecs_task": "airflow_interruptible.remote.ecs.look",
    "pod": "airflow_interruptible.remote.kubernetes.look",
    "instance_id": "airflow_interruptible.remote.ec2.look",
    "vm": "airflow_interruptible.remote.gce.look",
    "launched_pod": "airflow_interruptible.remote.kubernetes.look_launched",
    "launched_job": "airflow_interruptible.launched.hindsight.look",
}
"""What :func:`airflow_interruptible.remote.here` may know, and what the operator launched; who looks there; nearest
first."""


def look_back(
    where: Mapping[str, Any],
    capacity: CapacityType | None,
    deadline_seconds: float = 15.0,
    *,
    since: str | None = None,
    task: object = None,
) -> Evidence | None:
    """Return what is to be learned of the end of an attempt that never reported. Never raises.

    :param where: where the ledger says that it ran, see :func:`airflow_interruptible.remote.here`.
    :param capacity: what it ran on; the second witness that some facts need. None if unknown.
    :param deadline_seconds: how long all looks may take together. The next attempt waits for it before it begins;
        15, since a worker may have to load the provider first, which takes seconds on a busy machine.
    :param since: when the attempt started, as the ledger writes it: what ended before is about something else.
    :param task: the operator, if it launches work elsewhere.
    :return: None if nothing was found; evidence that no rule understands is returned as well, and overrules nothing.
    """
    try:
        known = {key: value for key, value in where.items() if isinstance(value, str) and value}
        past = Past(known, capacity, moment(since), task)
        if not known.keys() & PLACES.keys():
            return None
        return latest(lambda: _looks(past), deadline_seconds)
    except Exception:
        log.debug("Nothing can be learned of where the attempt ran.", exc_info=True)
        return None


def _looks(past: Past) -> Iterator[Evidence]:
    """Each place in turn, until a rule understands what was found there."""
    for path in (path for place, path in PLACES.items() if place in past.where):
        understood = False
        for evidence in _answers(path, past):
            understood = classify(evidence, DEFAULT_RULES).cause is not Cause.UNKNOWN
            yield evidence
        if understood:
            return


def _answers(path: str, past: Past) -> Iterator[Evidence]:
    try:
        for answer in load(path)(past):
            yield answer.evidence()
    except Exception as error:  # noqa: BLE001 - one place that cannot be asked must not hide the next
        log.debug("%s found no further evidence: %s: %.300s", path, type(error).__name__, error)

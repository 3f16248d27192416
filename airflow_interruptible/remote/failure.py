# SPDX-License-Identifier: Apache-2.0
"""An operator that failed, and what is left of the job it had launched.

It must not know any service. The surprising fact: after a deferral the operator is a new object in a new process, and
the only trace of its job may be the trigger's event, which operators put into the text of their exception.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.literal import parse_embedded
from airflow_interruptible.remote.answer import SKEW, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_CHAIN = 5


@dataclass(frozen=True)
class Failure:
    """What failed.

    :param task: the operator.
    :param exception: what its ``execute`` or its resumption raised.
    :param context: Airflow's context of the attempt.
    """

    task: Any
    exception: BaseException
    context: Mapping[str, Any]

    def attribute(self, *names: str) -> Any:
        """Return the first of these attributes of the operator that is set."""
        return next((value for name in names if (value := getattr(self.task, name, None)) is not None), None)

    def xcom(self, key: str) -> Any:
        """Return what the operator pushed in this attempt. Airflow deletes it when the next one starts."""
        ti = self.context["ti"]
        return ti.xcom_pull(task_ids=ti.task_id, key=key, map_indexes=-1 if ti.map_index is None else ti.map_index)

    @property
    def event(self) -> Mapping[str, Any]:
        """The trigger's event, or whatever object an operator's own message ends with; empty if there is none."""
        text = str(self.exception) if spoken_by_airflow(self.exception) else ""
        parsed = parse_embedded(text[text.index("{") :]) if "{" in text else None
        return parsed if isinstance(parsed, dict) else {}

    def chain(self) -> Iterator[BaseException]:
        """The exception and what led to it, as far as Airflow raised them."""
        error: BaseException | None = self.exception
        for _ in range(_MAX_CHAIN):
            if error is None or not spoken_by_airflow(error):
                return
            yield error
            error = error.__cause__ or error.__context__

    def locals_of(self, package: str) -> Iterator[Any]:
        """What the functions of a package held when the exception passed through them, the innermost first."""
        error: BaseException | None = self.exception
        for _ in range(_MAX_CHAIN):
            if error is None:
                return
            frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
            for frame in reversed(frames):
                if str(frame.f_globals.get("__name__", "")).startswith(f"{package}."):
                    yield from list(frame.f_locals.values())
            error = error.__cause__ or error.__context__

    def saw(self, at: object) -> bool:
        """Whether something that happened then may have happened during this attempt; an unknown time may.

        The author may have named a job or a cluster, so that its name leads to what an earlier attempt met.
        """
        begun, then = moment(getattr(self.context.get("ti"), "start_date", None)), moment(at)
        return begun is None or then is None or then >= begun - SKEW


_CLIENTS = ("botocore", "boto3", "kubernetes")
"""Packages that raise on behalf of whoever called them."""


def raised_in(exception: BaseException) -> str:
    """Return the module of the innermost frame that raised ``exception``; empty if it was never raised."""
    modules = _modules(exception)
    return modules[-1] if modules else ""


def spoken_by_airflow(exception: BaseException) -> bool:
    """Whether Airflow or a provider raised it, or called the vendor's client that did; and not the author."""
    callers = [module for module in _modules(exception) if module.partition(".")[0] not in _CLIENTS]
    return bool(callers) and callers[-1].partition(".")[0] == "airflow"


def _modules(exception: BaseException) -> list[str]:
    """The module of each frame, outermost first."""
    modules, frame = [], exception.__traceback__
    while frame is not None:
        modules.append(str(frame.tb_frame.f_globals.get("__name__", "")))
        frame = frame.tb_next
    return modules

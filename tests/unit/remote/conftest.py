# SPDX-License-Identifier: Apache-2.0
"""Failed operators, exceptions that Airflow or an author raised, and services that answer as the vendors document."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.core.classification import Classification, classify
from airflow_interruptible.remote import evidence_of
from airflow_interruptible.rules import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_interruptible.core.evidence import Evidence

GOLDEN = Path(__file__).parents[2] / "golden" / "evidence"
BEGUN = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
MISLEADING = "The task was stopped because the host instance terminated: Host EC2 (instance i-0abc) terminated."
"""A text that Airflow's rules take for lost infrastructure."""


def raise_in(module: str, error: BaseException, cause: BaseException | None = None) -> BaseException:
    """Return ``error`` as if code of ``module`` had raised it."""
    program = "raise error" if cause is None else "raise error from cause"
    try:
        exec(program, {"__name__": module, "error": error, "cause": cause})
    except BaseException as raised:
        return raised
    raise AssertionError


@pytest.fixture
def raised() -> Callable[..., BaseException]:
    """``raised("airflow.providers.x", error)``."""
    return raise_in


@pytest.fixture
def golden() -> Callable[[str], Any]:
    """``golden("ecs/oom")``: the payload of a golden file."""
    return lambda slug: json.loads((GOLDEN / f"{slug}.json").read_text())["payload"]


def judge(evidence: Evidence | None) -> Classification | None:
    return None if evidence is None else classify(evidence, DEFAULT_RULES)


@pytest.fixture
def judged() -> Callable[[Evidence | None], Classification | None]:
    """What the rules make of evidence; None of none."""
    return judge


@pytest.fixture
def context() -> dict[str, Any]:
    """The context of an attempt that pushed the XComs in ``context["xcoms"]``."""
    xcoms: dict[str, Any] = {}

    def xcom_pull(*, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == ("work", -1)
        return xcoms.get(key)

    ti = SimpleNamespace(task_id="work", map_index=-1, start_date=BEGUN, xcom_pull=xcom_pull)
    return {"ti": ti, "xcoms": xcoms}


@pytest.fixture
def rule_of(context: dict[str, Any]) -> Callable[..., str | None]:
    """``rule_of(task)``: the rule that decides why ``task`` failed, whose exception says something misleading."""

    def decide(task: Any, error: BaseException | None = None) -> str | None:
        from airflow.sdk.exceptions import AirflowException

        misleading = raise_in("airflow.providers.amazon", AirflowException(MISLEADING))
        answer = judge(evidence_of(task, misleading if error is None else error, context))
        assert answer is not None
        return answer.rule

    return decide


@pytest.fixture
def decided(stubbed: Callable[..., Any], rule_of: Callable[..., str | None]) -> Callable[..., str | None]:
    """``decided(task, "batch", *calls, error=...)``: the rule that decides, with a stubbed client behind the hook."""

    def decide(task: Any, service: str, *calls: Any, error: BaseException | None = None) -> str | None:
        object.__setattr__(task, "hook", SimpleNamespace(conn=stubbed(service, *calls)))
        return rule_of(task, error)

    return decide

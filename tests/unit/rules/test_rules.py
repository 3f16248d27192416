# SPDX-License-Identifier: Apache-2.0
"""What holds for every line of every table."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.rules import DEFAULT_RULES, DEFAULT_SURFACES, databricks_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.core.rule import Rule

parser = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

PATTERNS = {
    **{
        f"{rule.id} {field}": test
        for rule in DEFAULT_RULES
        for field, test in rule.when.items()
        if isinstance(test, re.Pattern)
    },
    **{f"reading {pattern.pattern[:60]}": pattern for surface in DEFAULT_SURFACES for pattern in surface.readings},
    **{f"wrapper {w.pattern.pattern[:60]}": w.pattern for surface in DEFAULT_SURFACES for w in surface.wrappers},
}
SERVICES = {name for surface in DEFAULT_SURFACES for name in surface.services}


def test_ids_are_unique_and_speak_of_a_surface_and_a_fact() -> None:
    ids = [rule.id for rule in DEFAULT_RULES]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9]+/[a-z0-9]+(-[a-z0-9]+)*", name) for name in ids)


@pytest.mark.parametrize("rule", DEFAULT_RULES, ids=lambda rule: rule.id)
def test_a_rule_names_its_source_its_services_and_what_happened(rule: Rule) -> None:
    assert rule.source.startswith("https://")
    assert rule.services <= SERVICES
    assert rule.note
    assert not rule.note.endswith(".")


def test_every_service_is_spelled_by_one_surface() -> None:
    spellings = [
        name for s in DEFAULT_SURFACES for service, others in s.services.items() for name in (service, *others)
    ]

    assert len(set(spellings)) == len(spellings)
    assert all(name == name.casefold() for name in spellings)


def repeats(tree: object, inside: bool = False) -> Iterator[bool]:
    """For each unbounded repetition, whether it stands inside another one."""
    for operation, argument in tree:  # type: ignore[attr-defined]
        name = str(operation)
        if name in {"MAX_REPEAT", "MIN_REPEAT"}:
            unbounded = argument[1] is parser.MAXREPEAT
            if unbounded:
                yield inside
            yield from repeats(argument[2], inside or unbounded)
        elif name == "SUBPATTERN":
            yield from repeats(argument[3], inside)
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from repeats(branch, inside)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_no_pattern_repeats_a_repetition(pattern: re.Pattern[str]) -> None:
    assert not any(repeats(parser.parse(pattern.pattern)))


def test_the_check_on_patterns_checks() -> None:
    assert any(repeats(parser.parse(r"(?:a+)+b")))
    assert any(repeats(parser.parse(r"(x|(?:[ab]*c)*)d")))


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        ("k8s/oom", "k8s/node-gone-on-spot"),
        ("k8s/oom", "eks/taint-spot"),
        ("k8s/deadline", "k8s/disrupted"),
        ("k8s/disrupted", "k8s/own-exit"),
        ("ecs/oom", "ecs/spot-stop-code"),
        ("ecs/image-pull", "batch/failed-to-start"),
        ("ecs/fargate-spot", "ecs/own-exit"),
        ("batch/timeout", "ecs/host-gone-on-spot"),
        ("gcpbatch/cancelled", "gcpbatch/preempted"),
        ("airflow/ended-by-person", "airflow/sigterm"),
        ("emr/stopped-by-person", "emr/spot"),
    ],
)
def test_the_declared_order(stronger: str, weaker: str) -> None:
    ids = [rule.id for rule in DEFAULT_RULES]
    assert ids.index(stronger) < ids.index(weaker)


def test_a_code_of_databricks_is_in_one_list() -> None:
    lists = (databricks_codes.NO_CAPACITY, databricks_codes.PLATFORM, databricks_codes.AUTHORS, databricks_codes.EITHER)
    codes = [code for codes in lists for code in codes]

    assert len(set(codes)) == len(codes)


def test_nothing_that_a_person_did_is_charged_to_the_system() -> None:
    assert all(r.cause is Cause.USER_ACTION for r in DEFAULT_RULES if r.id.endswith("by-person"))
    assert Cause.USER_ACTION.charge is Charge.NONE


def test_the_rules_import_nothing_of_airflow_or_a_vendor() -> None:
    program = (
        "import sys; before = set(sys.modules); import airflow_interruptible.rules;"
        " print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert not {"airflow", "boto3", "botocore", "google", "kubernetes", "azure", "celery"} & set(loaded)

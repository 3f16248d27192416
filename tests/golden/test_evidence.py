# SPDX-License-Identifier: Apache-2.0
"""Every rule recognises at least one real payload, and every near miss stays one. Files are found by their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_interruptible.core.cause import Charge
from airflow_interruptible.core.classification import Classification, classify
from airflow_interruptible.core.evidence import field_key
from airflow_interruptible.core.payload import read
from airflow_interruptible.rules import DEFAULT_RULES, DEFAULT_SURFACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).parent / "evidence"
GOLDEN = {
    str(path.relative_to(FOLDER).with_suffix("")): json.loads(path.read_text()) for path in FOLDER.rglob("*.json")
}
RULES = {rule.id: rule for rule in DEFAULT_RULES}
SERVICES = sorted({name for surface in DEFAULT_SURFACES for name in surface.services})

READ_AT_THE_TOP = {name.partition(".")[0] for rule in DEFAULT_RULES for name in rule.fields} | {
    name for surface in DEFAULT_SURFACES for name in (*surface.envelopes, *surface.history, "type", "status", "kind")
}
"""Keys that mean something at the top of some payload. Any other key is unrelated."""


def classified(entry: dict[str, Any], **changed: object) -> Classification:
    entry = entry | changed
    evidence = read(
        entry["service"], entry["surface"], entry["payload"], entry.get("context"), surfaces=DEFAULT_SURFACES
    )
    return classify(evidence, DEFAULT_RULES)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_payload_means_what_its_file_says(name: str) -> None:
    answer = classified(GOLDEN[name])

    assert {"cause": answer.cause.value, "rule": answer.rule} == GOLDEN[name]["expect"], answer.reason


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_payload_of_its_own(rule: str) -> None:
    assert rule in GOLDEN, (
        f"add tests/golden/evidence/{rule}.json: a payload that this rule, and no stronger one, matches"
    )
    assert GOLDEN[rule]["expect"] == {"cause": RULES[rule].cause.value, "rule": rule}


@pytest.mark.parametrize("name", [name for name in GOLDEN if name not in RULES])
def test_a_file_is_named_after_a_rule_or_is_another_case(name: str) -> None:
    other_case = Path(name).name.startswith(("near-miss-", "also-"))
    assert other_case, f"{name} is neither a rule's id, nor a near miss, nor another payload of a rule (also-*)"


@pytest.mark.parametrize("name", GOLDEN)
def test_every_payload_says_where_the_fact_stands(name: str) -> None:
    assert GOLDEN[name]["source"].startswith("https://")


@pytest.mark.parametrize("name", [name for name, entry in GOLDEN.items() if entry["service"] != "airflow"])
def test_a_vendors_words_raised_by_user_code_are_never_the_systems(name: str) -> None:
    words = GOLDEN[name]["payload"]
    words = words if isinstance(words, str) else json.dumps(words)

    answer = classified({"service": "airflow", "surface": "exception message", "payload": words})

    assert answer.cause.charge is not Charge.SYSTEM


def strings(payload: object) -> Iterator[str]:
    if isinstance(payload, str):
        yield payload
    elif isinstance(payload, (dict, list)):
        for inner in payload.values() if isinstance(payload, dict) else payload:
            yield from strings(inner)


AUTHORS_FIELDS: dict[str, Callable[[str], object]] = {
    "glue": lambda words: {"JobRunState": "FAILED", "ErrorMessage": words},
    "sagemaker": lambda words: {"TrainingJobStatus": "Failed", "FailureReason": f"AlgorithmError: {words}"},
    "emr": lambda words: {"state": "FAILED", "stateDetails": f"Job failed. {words}"},
    "dataproc": lambda words: {"status": {"state": "ERROR", "details": f"Job failed with message [{words}]"}},
    "k8s": lambda words: {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"message": words}}}]},
    "databricks": lambda words: {"state": {"state_message": f"Task main failed with message: {words}"}},
    "vertex": lambda words: {"error": {"message": f"The replica w-0 exited with a non-zero status of 1. {words}"}},
    "azurebatch": lambda words: {"executionInfo": {"failureInfo": {"category": "UserError", "message": words}}},
    "batch": lambda words: {"status": "FAILED", "container": {"command": [words], "exitCode": 1}},
}
"""Where a service hands on what the author's code has written."""


@pytest.mark.parametrize("service", SERVICES)
def test_a_vendors_words_in_an_authors_exception_are_the_authors(service: str) -> None:
    field = AUTHORS_FIELDS.get(service, lambda words: words)
    said = sorted({words for entry in GOLDEN.values() for words in strings(entry["payload"]) if len(words) > 8})

    for words in said:
        raised = {"service": service, "surface": "log line", "context": {"capacity": "spot"}}
        for payload in (f"ValueError: {words}", f"ERROR etl: {words}", field(f"ValueError: {words}")):
            answer = classified({**raised, "payload": payload})
            assert answer.cause.charge is not Charge.SYSTEM, (payload, answer.rule)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["Spot", "preempted"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from([name for name, entry in GOLDEN.items() if isinstance(entry["payload"], dict)]),
    st.dictionaries(st.text(min_size=1, max_size=12), JSON, max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_unrelated_fields_never_change_an_answer(name: str, extra: dict[str, object]) -> None:
    entry = GOLDEN[name]
    payload = entry["payload"]
    unrelated = {
        key: value
        for key, value in extra.items()
        if key not in payload
        and not key.startswith("this_")
        and field_key(key).partition(".")[0] not in READ_AT_THE_TOP
    }

    answer = classified(entry, payload=payload | unrelated)

    assert {"cause": answer.cause.value, "rule": answer.rule} == entry["expect"]

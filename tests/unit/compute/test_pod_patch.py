# SPDX-License-Identifier: Apache-2.0
"""What is added to a pod, and that nothing else happens to it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_interruptible.compute.pod_patch import PodPatch, contradiction, effective_spec, patched

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
IS_SPOT = {"key": "capacity", "operator": "In", "values": ["spot"]}
IS_BIG = {"key": "size", "operator": "In", "values": ["big"]}
TOLERATION = {"key": "spot", "operator": "Exists"}
OTHER_TOLERATION = {"key": "gpu", "operator": "Exists"}
SPOT = PodPatch(
    node_selector={"pool": "spot"}, tolerations=[TOLERATION], match_expressions=[IS_SPOT], labels={"capacity": "spot"}
)


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def terms_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    terms: list[dict[str, Any]] = pod["spec"]["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    return terms


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "base"}], **spec}}


KEYS = st.sampled_from(["capacity", "size", "pool", "zone"])
VALUES = st.sampled_from(["spot", "on-demand", "big", "small"])
EXPRESSIONS = st.fixed_dictionaries(
    {
        "key": KEYS,
        "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
        "values": st.lists(VALUES, max_size=2),
    }
)
TERMS = st.fixed_dictionaries(
    {},
    optional={"matchExpressions": st.lists(EXPRESSIONS, max_size=2), "matchFields": st.lists(EXPRESSIONS, max_size=1)},
)
AFFINITIES = st.fixed_dictionaries(
    {},
    optional={
        "nodeAffinity": st.fixed_dictionaries(
            {},
            optional={
                REQUIRED: st.fixed_dictionaries({"nodeSelectorTerms": st.lists(TERMS, max_size=3)}),
                "preferredDuringSchedulingIgnoredDuringExecution": st.just([{"weight": 1, "preference": {}}]),
            },
        ),
        "podAntiAffinity": st.just({"x": 1}),
    },
)
TOLERATIONS = st.lists(st.sampled_from([TOLERATION, OTHER_TOLERATION]), unique_by=str, max_size=2)
PODS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {}, optional={"labels": st.dictionaries(KEYS, VALUES, max_size=2), "name": st.just("mine")}
        ),
        "spec": st.fixed_dictionaries(
            {"containers": st.just([{"name": "base", "image": "mine"}])},
            optional={
                "nodeSelector": st.dictionaries(KEYS, VALUES, max_size=2),
                "tolerations": TOLERATIONS,
                "affinity": AFFINITIES,
                "priority": st.just(7),
            },
        ),
    },
)


@given(mine=PODS, template=PODS)
def test_patching_twice_is_patching_once(mine: dict[str, Any], template: dict[str, Any]) -> None:
    once = patched(mine, SPOT, template)
    assert patched(once, SPOT, template) == once


@given(mine=PODS, template=PODS)
def test_arguments_are_left_alone(mine: dict[str, Any], template: dict[str, Any]) -> None:
    before = copy.deepcopy((mine, template))
    patched(mine, SPOT, template)
    assert (mine, template) == before


@given(mine=PODS)
def test_everything_of_the_author_s_survives(mine: dict[str, Any]) -> None:
    """All but the value of a node selector that the compute has to win."""
    after = patched(mine, SPOT)
    spec = mine.get("spec", {})
    assert {**after["metadata"]["labels"], **mine.get("metadata", {}).get("labels", {})} == after["metadata"]["labels"]
    assert {key: after["metadata"][key] for key in mine.get("metadata", {}) if key != "labels"} == {
        key: value for key, value in mine.get("metadata", {}).items() if key != "labels"
    }
    untouched = set(spec) - {"nodeSelector", "tolerations", "affinity"}
    assert {key: after["spec"][key] for key in untouched} == {key: spec[key] for key in untouched}
    assert set(spec.get("nodeSelector", {})) <= set(after["spec"]["nodeSelector"])
    assert [item for item in after["spec"]["tolerations"] if item in spec.get("tolerations", [])] == spec.get(
        "tolerations", []
    )
    theirs = spec.get("affinity", {})
    assert {key: after["spec"]["affinity"][key] for key in theirs if key != "nodeAffinity"} == {
        key: value for key, value in theirs.items() if key != "nodeAffinity"
    }


@given(mine=PODS)
@example(mine=pod(affinity=affinity({"matchExpressions": [IS_SPOT, IS_SPOT]})))  # its author wrote it twice
def test_every_term_that_can_match_gets_every_requirement_once(mine: dict[str, Any]) -> None:
    for term in terms_of(patched(mine, SPOT)):
        assert not any(term.values()) or term["matchExpressions"].count(IS_SPOT) == 1


def test_an_empty_pod_gets_it_all() -> None:
    assert patched({}, SPOT) == {
        "metadata": {"labels": {"capacity": "spot"}},
        "spec": {
            "containers": [],
            "nodeSelector": {"pool": "spot"},
            "tolerations": [TOLERATION],
            "affinity": affinity({"matchExpressions": [IS_SPOT]}),
        },
    }


def test_terms_are_alternatives_so_each_is_narrowed() -> None:
    fields = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}
    after = patched(pod(affinity=affinity({"matchExpressions": [IS_BIG]}, fields)), SPOT)
    assert terms_of(after) == [{"matchExpressions": [IS_BIG, IS_SPOT]}, {**fields, "matchExpressions": [IS_SPOT]}]


def test_a_term_that_matches_nothing_is_not_widened() -> None:
    after = patched(pod(affinity=affinity({}, {"matchExpressions": [IS_BIG]})), SPOT)
    assert terms_of(after) == [{}, {"matchExpressions": [IS_BIG, IS_SPOT]}]


def test_tolerations_are_prepended_and_not_repeated() -> None:
    assert patched(pod(tolerations=[OTHER_TOLERATION]), SPOT)["spec"]["tolerations"] == [TOLERATION, OTHER_TOLERATION]
    both = [OTHER_TOLERATION, TOLERATION]
    assert patched(pod(tolerations=both), SPOT)["spec"]["tolerations"] == both


def test_the_compute_wins_a_clash_of_node_selectors() -> None:
    after = patched(pod(nodeSelector={"pool": "mine", "zone": "a"}), SPOT)
    assert after["spec"]["nodeSelector"] == {"pool": "spot", "zone": "a"}


def test_a_field_without_an_addition_is_left_to_the_template() -> None:
    """Else a template that changes later would be ignored."""
    after = patched(
        {}, PodPatch(match_expressions=[IS_SPOT]), pod(nodeSelector={"zone": "a"}, tolerations=[TOLERATION])
    )
    assert set(after["spec"]) == {"containers", "affinity"}


def test_the_template_is_carried_over_where_we_add() -> None:
    template = pod(
        nodeSelector={"zone": "a"}, tolerations=[OTHER_TOLERATION], affinity=affinity({"matchExpressions": [IS_BIG]})
    )
    spec = patched({}, SPOT, template)["spec"]
    assert spec["nodeSelector"] == {"zone": "a", "pool": "spot"}
    assert spec["tolerations"] == [TOLERATION, OTHER_TOLERATION]
    assert spec["affinity"] == affinity({"matchExpressions": [IS_BIG, IS_SPOT]})


def test_the_author_s_field_replaces_the_template_s_as_in_airflow() -> None:
    mine = pod(nodeSelector={"zone": "b"}, tolerations=[TOLERATION], affinity={})
    template = pod(
        nodeSelector={"zone": "a"}, tolerations=[OTHER_TOLERATION], affinity=affinity({"matchExpressions": [IS_BIG]})
    )
    assert effective_spec(mine, template) == {
        "nodeSelector": {"zone": "b"},
        "tolerations": [TOLERATION],
        "affinity": {},
    }


def test_two_patches_add_up() -> None:
    """What comes later goes before the tolerations and after the requirements, and wins the labels."""
    both = SPOT.and_also(PodPatch({"pool": "other"}, [OTHER_TOLERATION], [IS_BIG, IS_SPOT], {"capacity": "x"}))
    assert both.node_selector == {"pool": "other"}
    assert both.tolerations == [OTHER_TOLERATION, TOLERATION]
    assert list(both.match_expressions) == [IS_BIG, IS_SPOT]
    assert both.labels == {"capacity": "x"}


def judged(mine: dict[str, Any], patch: PodPatch) -> bool:
    return contradiction(effective_spec(mine, {}), patch) is not None


def expression(operator: str, *values: str) -> dict[str, Any]:
    return {"key": "capacity", "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("theirs", "ours", "wrong"),
    [
        (expression("In", "on-demand"), expression("In", "spot"), True),
        (expression("In", "on-demand", "spot"), expression("In", "spot"), False),
        (expression("In", "spot"), expression("NotIn", "spot"), True),
        (expression("In", "spot", "big"), expression("NotIn", "spot"), False),
        (expression("NotIn", "spot"), expression("In", "spot"), True),
        (expression("NotIn", "spot"), expression("NotIn", "spot"), False),
        (expression("DoesNotExist"), expression("In", "spot"), True),
        (expression("DoesNotExist"), expression("NotIn", "spot"), False),
        (expression("Exists"), expression("In", "spot"), False),
        (expression("Exists"), expression("DoesNotExist"), True),
        (expression("Gt", "3"), expression("In", "spot"), False),
        (IS_BIG, expression("In", "spot"), False),
    ],
)
def test_two_requirements_that_no_node_can_meet(theirs: dict[str, Any], ours: dict[str, Any], wrong: bool) -> None:
    patch = PodPatch(match_expressions=[ours])
    assert judged(pod(affinity=affinity({"matchExpressions": [theirs]})), patch) is wrong


def test_one_way_out_is_enough() -> None:
    terms = [{"matchExpressions": [expression("In", "on-demand")]}, {"matchExpressions": [IS_BIG]}]
    assert not judged(pod(affinity=affinity(*terms)), SPOT)
    assert judged(pod(affinity=affinity(terms[0])), SPOT)


def test_node_selectors_contradict_as_well() -> None:
    assert judged(pod(nodeSelector={"capacity": "on-demand"}), SPOT)
    assert judged(pod(nodeSelector={"pool": "mine"}), SPOT)
    assert judged(pod(nodeSelector={"capacity": "on-demand"}, affinity=affinity({"matchExpressions": [IS_BIG]})), SPOT)
    assert not judged(pod(nodeSelector={"pool": "spot", "zone": "a"}), SPOT)


@pytest.mark.parametrize("empty", [{}, {"matchExpressions": []}, {"matchExpressions": [], "matchFields": []}])
def test_a_term_that_matches_no_node_still_matches_none(empty: dict[str, Any]) -> None:
    zone = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
    first, second = terms_of(patched(pod(affinity=affinity(empty, zone)), SPOT))
    assert first == empty
    assert second["matchExpressions"] == [*zone["matchExpressions"], IS_SPOT]


def test_a_label_of_ours_is_nobody_else_s() -> None:
    patch = PodPatch(node_selector={"a": "b"}, labels={"team": "spot"}, own_labels={"ours": "on-demand"})
    after = patched({"metadata": {"labels": {"team": "data", "ours": "spot"}}}, patch)
    assert after["metadata"]["labels"] == {"team": "data", "ours": "on-demand"}
    assert PodPatch().and_also(patch).own_labels == patch.own_labels

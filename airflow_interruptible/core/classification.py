# SPDX-License-Identifier: Apache-2.0
"""From evidence to cause: the first rule that matches, or an honest unknown.

Pure and total: no clock, no I/O, no vendor, never an exception. How telling a fact is, its rule's place says, and never
its own place in the payload. Facts are held against all rules before the
text is looked at, and the text only counts where no fact that any rule reads is known: a log line never
overrules a status. The surprising fact: most rules that end in "unknown" are there on purpose, to say that
something that sounds like an interruption is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.evidence import TEXT, Evidence
from airflow_interruptible.core.rule import Observation, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_REASON = 500
"""Airflow cuts a stored ``retry_reason`` here."""

MAX_SHOWN = 100
"""How much of one observed value a reason quotes."""


Match: TypeAlias = tuple[Rule, tuple[Observation, ...]]


@dataclass(frozen=True, slots=True)
class Classification:
    """The cause of an attempt's end, and why.

    :param cause: what ended it.
    :param rule: id of the rule that said so, or ``None``.
    :param reason: one line for the person on call, at most ``MAX_REASON`` characters.
    :param source: the vendor's page for the rule, or ``None``.
    :param otherwise: what would have changed the answer, strongest first; may be empty.
    """

    cause: Cause
    rule: str | None
    reason: str
    source: str | None = None
    otherwise: tuple[str, ...] = ()


def classify(evidence: Evidence, rules: Sequence[Rule]) -> Classification:
    """Hold evidence against rules in their declared order.

    :param evidence: what was observed.
    :param rules: the rules, strongest first. Rules of other services are ignored.
    """
    if evidence.succeeded:
        return _nothing("the attempt had already succeeded, so this is about something that came after it")
    if other := evidence.another_machine:
        return _nothing(f"this is about {other[0]} {other[1][:MAX_SHOWN]}, which is not where the attempt ran")
    answers = [_classify(one, rules) for one in evidence.by_machine()]
    if len({answer.cause for answer in answers}) > 1:
        return _nothing("this is about several machines that ended differently, and nobody knows which was ours")
    if answers[0].rule is None and evidence.inside is not None:
        wrapper = classify(evidence.inside, rules)
        return answers[0] if wrapper.rule is None else wrapper
    return answers[0]


def _classify(evidence: Evidence, rules: Sequence[Rule]) -> Classification:
    ours = [rule for rule in rules if evidence.service in rule.services]
    words_count = not _knows_a_status(evidence, ours)
    matches = _matches(evidence, ours, with_text=False) or (
        _matches(evidence, ours, with_text=True) if words_count else []
    )
    chosen = next((match for match in matches if match[0].witnessed(evidence)), None)
    otherwise = tuple(_otherwise(chosen[0] if chosen else None, [rule for rule, _ in matches]))
    if chosen is None:
        return _nothing(_why_unknown(evidence, ours, words_count), otherwise)
    rule, observed = chosen
    return Classification(rule.cause, rule.id, _reason(rule, observed), rule.source, otherwise)


def _matches(evidence: Evidence, rules: Iterable[Rule], *, with_text: bool) -> list[Match]:
    known = evidence.facts.keys() | ({TEXT} if with_text and evidence.text else set())
    found = ((rule, rule.match(evidence, with_text=with_text)) for rule in rules if rule.reads(known))
    return [(rule, observed) for rule, observed in found if observed is not None]


def _nothing(reason: str, otherwise: tuple[str, ...] = ()) -> Classification:
    return Classification(Cause.UNKNOWN, None, reason[:MAX_REASON], None, otherwise)


def _knows_a_status(evidence: Evidence, rules: Iterable[Rule]) -> bool:
    return any(name in evidence.facts for rule in rules for name in rule.fields)


def _reason(rule: Rule, observed: Iterable[Observation]) -> str:
    """What happened, and the observations as the payload gave them."""
    seen = [f"{'text' if name == TEXT else name}: {str(value).strip()[:MAX_SHOWN]}" for name, value in observed]
    if rule.needs is not None:
        seen.append(f"capacity: {rule.needs.value}")
    return f"{rule.note} ({', '.join(seen)})"[:MAX_REASON]


def _otherwise(chosen: Rule | None, matching: Iterable[Rule]) -> Iterable[str]:
    cause = chosen.cause if chosen else Cause.UNKNOWN
    for rule in matching:
        if rule is chosen or rule.cause is cause:
            continue
        if rule.needs is not None:
            yield f"{rule.cause.value} by {rule.id}, had the attempt been known to run on {rule.needs.value} capacity"
        elif chosen is not None:
            yield f"{rule.cause.value} by {rule.id}, had {chosen.id} not been stronger"


def _why_unknown(evidence: Evidence, rules: Sequence[Rule], words_count: bool) -> str:
    if not rules:
        return f"no rule is about the service {evidence.service[:MAX_SHOWN]!r}"
    if not words_count:
        return "the facts are known, and none of them says that the platform ended the attempt"
    return "no fact that a rule reads, and words that are not a vendor's documented message do not decide"

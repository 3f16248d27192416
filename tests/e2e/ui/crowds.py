"""Answers of the API that are hard to lay out: counts of five digits, names of a hundred and more characters.

They are what the package itself answers about attempts that are made up here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.attempts import AttemptView, Story
from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.history import History
from airflow_interruptible.core.placement import Placement
from airflow_interruptible.core.prices import Price
from airflow_interruptible.report.answer import Page as Found
from airflow_interruptible.report.answer import Said
from airflow_interruptible.report.entry import Entry
from airflow_interruptible.report.filters import Filters
from airflow_interruptible.report.recovery import Try
from airflow_interruptible.report.run import Instance, RunReport, sentence
from airflow_interruptible.report.totals import report
from airflow_interruptible.ui import attempts as of_attempts
from airflow_interruptible.ui import report as of_report
from airflow_interruptible.ui import schemas

if TYPE_CHECKING:
    from pydantic import BaseModel

NOW = datetime.now(timezone.utc)
LONG_NAME = "team_of_" + "many_words_and_" * 6 + "no_end"
UNBROKEN = "x" * 180
ZONES = ("us-east-1b", "asia-northeast1-b", "projects/123456789012/zones/europe-west4-a", "unknown")
TYPES = ("m5.2xlarge", "n2d-standard-128-custom-ext", "Standard_NC96ads_A100_v4", "unknown")
MANY = dict.fromkeys(Cause, 12_345)
CAUSES = ("spot_interruption", "infrastructure", "no_capacity", None)


def interruptions() -> tuple[BaseModel, BaseModel]:
    """A report, and the first page of its list."""
    entries = list(_entries())
    filters = Filters(NOW - timedelta(days=30), NOW + timedelta(minutes=1))
    prices = {"default": Price(0.12, 0.38)}
    tries = {(number, number + 1 + more): _try(number, more) for number in range(64) for more in (0, 1)}
    found = report(entries, filters, NOW.timestamp(), prices, "USD", tries=tries)
    listed = [entry for entry in entries if entry.interrupted]
    items = [
        (entry, Said(f"{UNBROKEN}: {LONG_NAME} of {entry.zone}", f"ValueError: {UNBROKEN}"))
        for entry in listed[:: len(listed) // 18]
    ]
    return of_report.report(found), of_report.page(Found(len(listed), items, complete=True))


def _entries() -> Any:
    dags = ("etl", LONG_NAME, UNBROKEN, "nightly features.of-all")
    for number in range(64):
        cause = CAUSES[number % 4]
        end = NOW - timedelta(hours=11 * number + 1)
        entry = Entry(
            number,
            dags[number // 4 % 4],
            f"scheduled__{end.isoformat()}",
            LONG_NAME if number % 3 else "fit",
            -1,
            number + 1,
            "on-demand" if number % 7 == 0 else "spot",
            cause,
            "system" if cause else None,
            ZONES[number // 16],
            TYPES[number // 4 % 4],
            (end - timedelta(hours=30)).timestamp(),
            end.timestamp(),
            False,
            False,
            heard=end.timestamp(),
            recovered=9_000.0 if cause else None,
        )
        yield from [entry] * (1500 if number % 5 else 17_414 // 8)


def _try(number: int, more: int) -> Try:
    """The row of an attempt, or of the one that followed it."""
    end = (NOW - timedelta(hours=11 * number + 1)).timestamp()
    return Try(end + 3_000, end + 6_000, None if more else end + 1_000)


def run() -> BaseModel:
    """A run of many indexes, all of which something happened to."""
    instances = [
        Instance(
            (LONG_NAME, "fit")[number % 2], number, "failed", 12_345, MANY, 12_345, 999, 4e6, "spot", number % 3 == 0
        )
        for number in range(18)
    ]
    return schemas.Run.model_validate(RunReport(LONG_NAME, UNBROKEN, sentence(instances), instances))


def attempts(count: int) -> BaseModel:
    """A task instance that waits for its next attempt after ``count`` of them."""
    budget = Budget(12_000, 34_567)
    story = Story(
        "up_for_retry",
        live=True,
        attempts=[_attempt(number) for number in range(1, count + 1)],
        history=History(True, Account(budget)),
        upcoming=Placement(CapacityType.SPOT, "the task is interruptible"),
    )
    return of_attempts.answer((LONG_NAME, UNBROKEN, "scheduled__2026-11-28T00:00:00+00:00", 7), story)


def _attempt(number: int) -> AttemptView:
    start = NOW - timedelta(hours=40) + timedelta(minutes=11 * number)
    one = AttemptView(
        number,
        "failed",
        CapacityType.SPOT if number % 3 else CapacityType.ON_DEMAND,
        list(Cause)[number % len(Cause)],
        list(Charge)[number % 3],
        f"{UNBROKEN}: {LONG_NAME}",
        start,
        start + timedelta(minutes=10),
        11_999,
        34_566,
        host=f"{LONG_NAME}.{UNBROKEN}"[:250],
        where={"zone": ZONES[number % 3], "instance_type": TYPES[number % 3], "instance_id": "i-0dc7a12b34c56d78e"},
        rule="ec2/imds-notice",
        error=f"ValueError: {LONG_NAME} {UNBROKEN}",
        why="the task is interruptible",
        notice={"provider": "ec2", "at": start.isoformat(), "deadline": start.isoformat()},
        checkpoint={"at": start.isoformat(), "loaded": True},
    )
    return replace(one, where={**one.where, "job": UNBROKEN}) if number % 2 else one

# SPDX-License-Identifier: Apache-2.0
"""What the JSON API answers, as its OpenAPI document describes it. Times are ISO 8601 in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.report.filters import in_utc

Moment = Annotated[datetime, AfterValidator(in_utc)]
"""A time; one without an offset is in UTC."""


class _FromObject(BaseModel):
    """Made of an object of ours with the same fields."""

    model_config = ConfigDict(from_attributes=True)


class Refusal(BaseModel):
    """Why there is no answer."""

    detail: str


class Budget(BaseModel):
    """The two budgets of a task, and what is left of them since the last clear."""

    user_retries: int = Field(description="The author's `retries`.")
    user_retries_left: int
    system_retries: int = Field(description="How many interruptions and other system failures are forgiven.")
    system_retries_left: int


class Placement(BaseModel):
    """Where an attempt goes, and why: a clause that can follow "since"."""

    capacity: CapacityType
    why: str


class Upcoming(Placement):
    """Where the next attempt goes, why, and when."""

    at: Moment | None = Field(None, description="When it is due, null if nobody has decided.")


class Notice(BaseModel):
    """The announcement that the machine of an attempt would be taken away."""

    provider: str
    at: Moment
    deadline: Moment | None = None


class Checkpoint(BaseModel):
    """What an attempt did with `checkpoint()`."""

    at: Moment | None = Field(None, description="When it last saved.")
    loaded: bool = Field(description="Whether it found what an earlier attempt had saved.")


class Attempt(BaseModel):
    """One attempt of a task instance."""

    attempt: int = Field(description="Airflow's try number.")
    state: str | None = Field(description="Airflow's state of that try.")
    capacity: CapacityType | None
    placed_because: str | None = Field(description='A clause that can follow "since".')
    cause: Cause | None = Field(description="Why it ended, null while it runs or if it succeeded.")
    charge: Charge | None = Field(description="Who pays for it.")
    reason: str | None = Field(description="The evidence, as text from outside.")
    error: str | None = Field(description="What the author's exception said last: one line, masked; from outside.")
    rule: str | None = Field(description="The rule that named the cause, see `airflow interruptible explain`.")
    rule_source: str | None = Field(description="The address of the documentation that the rule rests on.")
    start: Moment | None
    end: Moment | None
    user_retries_left: int | None = Field(description="After this attempt.")
    system_retries_left: int | None
    where: dict[str, Any] = Field(description="Where it ran, as far as is known: host, node, zone, instance_type, ...")
    links: dict[str, str] = Field(description="Addresses for what `where` names, from the setting `links`.")
    notice: Notice | None
    checkpoint: Checkpoint | None


class Attempts(BaseModel):
    """A task instance from its first attempt on."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    annotated: bool = Field(description="False: not a task of ours, the attempts hold only what Airflow knows.")
    interruptible: bool | None = Field(description="The setting that applies in this run.")
    live: bool = Field(description="Whether something may still happen: ask again.")
    summary: str = Field(description="What happened, in one sentence.")
    budget: Budget | None
    next: Upcoming | None = Field(description="Where the next attempt goes, if one is waited for.")
    next_steps: list[str] = Field(description="What can be done about what happened, in sentences.")
    cleared_after: list[int] = Field(
        description="The last attempts before each clear: what comes after has both budgets afresh."
    )
    attempts: list[Attempt]


class Instance(_FromObject):
    """One task instance of a run."""

    task_id: str
    map_index: int
    state: str | None
    attempts: int
    causes: dict[Cause, int] = Field(description="Why attempts ended that failed: how many for each cause.")
    interruptions: int
    charged: int = Field(description="How many failed attempts the author's `retries` paid for.")
    lost_seconds: float
    capacity: CapacityType | None = Field(description="What it runs on now, or ran on last.")
    running: bool = Field(description="Whether it holds a machine now.")


class Run(_FromObject):
    """The interruptible task instances of a Dag run that have begun, those that most happened to first."""

    dag_id: str
    run_id: str
    summary: str = Field(description="What happened, in one sentence.")
    instances: list[Instance]
    truncated: bool = Field(description="Whether there are more than are told.")


class Totals(_FromObject):
    """The sums over all attempts that are asked for."""

    attempts: int
    interruptions: int = Field(description="Attempts that the platform ended, or for which it had no capacity.")
    forgiven: int = Field(description="Interruptions that the author's `retries` did not pay for.")
    no_capacity: int
    on_demand_fallbacks: int = Field(description="Attempts on-demand after one on spot.")
    false_alarms: int = Field(description="Attempts that were told of a reclaim and ended otherwise.")
    spot_hours: float = Field(description="On machines: what waits in the triggerer holds none.")
    on_demand_hours: float
    unplaced_hours: float = Field(description="Of attempts that nothing moved, as `compute` is none.")
    lost_hours: float = Field(description="Of interrupted attempts, since they last saved a checkpoint, if ever.")


class Savings(_FromObject):
    """An estimate from the prices that the settings give."""

    amount: float
    currency: str
    spot_price: float | None = Field(description="An hour, where an instance type has no price of its own.")
    on_demand_price: float | None
    note: str = Field(description="From what it was estimated.")


class Stretch(_FromObject):
    """Some lengths of time, in seconds."""

    count: int = Field(description="How many.")
    median: float
    p95: float = Field(description="95 % of them are no longer.")


class RecoveryParts(_FromObject):
    """Where the time went, each null where nothing is known of it. Their medians do not add up to the median."""

    noticing: Stretch | None = Field(description="From when the attempt was last heard of until Airflow knew its end.")
    delay: Stretch | None = Field(description="Until the scheduler's turn to schedule the next try.")
    queue: Stretch | None = Field(description="Until a worker took that up.")
    start: Stretch | None = Field(description="Until the next attempt was at work.")


class Recovery(Stretch):
    """How long tasks stood still: from when interrupted attempts were last heard of to the start of the next."""

    parts: RecoveryParts = Field(description="Of the latest 500 of them.")


class Bucket(BaseModel):
    """What ended in one hour (ranges up to two days) or one day; what runs ends now."""

    start: Moment
    spot_interruption: int
    infrastructure: int
    no_capacity: int
    attempts: int
    spot_hours: float
    on_demand_hours: float
    lost_hours: float
    saved: float | None = Field(description="Estimated as `savings` is; null without prices.")


class Share(_FromObject):
    """What one value has of everything; `unknown` is a value of zones and instance types."""

    value: str
    interruptions: int
    lost_hours: float
    spot_interruptions: int = Field(description="Those that ended an attempt on spot.")
    attempts: int = Field(description="All of its attempts; of a cause, those of all causes.")
    spot_hours: float = Field(description="As `attempts`.")
    per_attempt: float | None = Field(description="interruptions / attempts")
    per_spot_hour: float | None = Field(description="spot_interruptions / spot_hours")
    saved: float | None = Field(description="Estimated as `savings` is; null without prices, and by cause.")


class Report(_FromObject):
    """Interruptions, hours and savings in a range of time. The shares hold at most the 100 most interrupted values.

    `cause` chooses which interruptions are counted; attempts, hours and savings are those of all.
    """

    start: Moment
    end: Moment
    dag_id: str | None
    task_id: str | None
    totals: Totals
    savings: Savings | None = Field(description="Null where the setting [interruptible] prices gives none.")
    over_time: list[Bucket]
    by_cause: list[Share]
    by_zone: list[Share]
    by_instance_type: list[Share]
    by_dag: list[Share]
    by_task: list[Share]
    on_spot_now: int = Field(description="Attempts that hold a spot machine now.")
    recovery: Recovery | None = Field(description="Null where nothing was interrupted and went on.")
    before: Totals | None = Field(
        description="The totals of the period before, as long as this one. Null where not all of it is known any more."
    )
    known_since: Moment | None = Field(
        description="Nothing older is known: Airflow keeps it for `[state_store] default_retention_days`. `over_time` "
        "begins there at the earliest. Null if Airflow keeps everything."
    )
    complete: bool = Field(
        description="False: the API server is still reading, the latest attempts first, and older ones are missing. "
        "Ask again."
    )
    truncated: bool = Field(description="Whether the oldest attempts are missing, as there are more than are kept.")


class Interruption(BaseModel):
    """One attempt that an interruption ended."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    attempt: int
    cause: Cause
    charge: Charge | None
    reason: str | None = Field(description="The evidence, as text from outside.")
    error: str | None = Field(description="What the author's exception said last, as text from outside.")
    capacity: CapacityType | None
    zone: str
    instance_type: str
    start: Moment | None
    end: Moment
    lost_seconds: float


class Interruptions(BaseModel):
    """A page of interruptions, the latest first."""

    total: int
    items: list[Interruption]
    complete: bool = Field(description="False: older ones may not have been read yet. Ask again.")


_Text = Annotated[str | None, Field(max_length=250)]


class Asked(BaseModel):
    """What a report is about. An attempt belongs to the range if it ended in it."""

    start: datetime | None = Field(None, description="Default: a week before the end. Without an offset: UTC.")
    end: datetime | None = Field(None, description="Default: now.")
    dag_id: _Text = None
    task_id: _Text = None
    cause: Cause | Literal[""] | None = None
    zone: _Text = None
    instance_type: _Text = None
    dag_id_pattern: _Text = Field(None, description="A part of the name, in any case; as the patterns below.")
    task_id_pattern: _Text = None
    zone_pattern: _Text = None
    instance_type_pattern: _Text = None
    capacity: CapacityType | Literal[""] | None = None


class AskedPage(Asked):
    """A page of what is asked for."""

    limit: int = Field(50, ge=1, le=200)
    offset: int = Field(0, ge=0)

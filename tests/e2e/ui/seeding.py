"""Write histories into the metadata database of a stack: ``python seeding.py RUN_ID``, in the stack's environment.

A real history of 200 attempts takes hours. What is written is what Airflow and the worker write: a row for each try,
and the ledger, with capacities and charges that the rules themselves give.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from waiting import PATIENCE

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.ending import Ending
from airflow_interruptible.core.history import History, Trace
from airflow_interruptible.core.plan import PlannedAttempt, simulate
from airflow_interruptible.core.verdict import decide
from airflow_interruptible.ledger import KEY as LEDGER_KEY
from airflow_interruptible.ledger import Ledger, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from airflow_interruptible.testing import SpotLab

DAG, PAST_DAG = "spot_stories", "spot_training"
SCRIPT = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
ENDINGS = {
    "I": Ending.INTERRUPTION,
    "F": Ending.INFRASTRUCTURE,
    "N": Ending.NO_CAPACITY,
    "A": Ending.APPLICATION,
    "C": Ending.CLEARED,
    "o": Ending.SUCCESS,
}
TOLD = {  # the rule, and the evidence: the sentence around it is the verdict's
    Ending.INTERRUPTION: ("ec2/imds-notice", "EC2 announced a Spot interruption of this instance: terminate"),
    Ending.INFRASTRUCTURE: ("k8s/shutdown-on-spot", "Pod was terminated in response to imminent node shutdown."),
    Ending.NO_CAPACITY: ("ec2/error-no-capacity", "There is no Spot capacity available that matches your request."),
    Ending.APPLICATION: (None, "ValueError"),
    Ending.CLEARED: ("airflow/ended-by-person", "A person cleared the task."),
}
ERROR = "ValueError: time data '2026-13-01' does not match format '%Y-%m-%d'"


@dataclass(frozen=True)
class Story:
    """How the attempts of one task instance ended, a letter each, see ``ENDINGS``."""

    task_id: str
    endings: str
    budget: Budget
    map_index: int = -1
    minutes: float = 24
    reason: str | None = None
    ago: timedelta = timedelta(minutes=5)
    pauses: tuple[int, ...] = (1, 2, 6, 300)  # seconds
    dag_id: str = DAG


STORIES = (
    Story("one", "o", Budget(4, 7)),
    Story("twelve", "IIAIFINAIFAo", Budget(4, 7)),
    Story("two_hundred", "".join(islice(cycle("IIFAINA"), 199)) + "o", Budget(120, 120), minutes=11, pauses=(1800,)),
    Story("shards", "Io", Budget(4, 7), map_index=0, minutes=35),
    Story("shards", "IIAo", Budget(4, 7), map_index=1, minutes=35),
    Story("shards", "o", Budget(4, 7), map_index=2, minutes=35),
    Story("hostile", "Ao", Budget(4, 7), reason=SCRIPT),
)


SCHEDULED = timedelta(seconds=0.4)
"""How long before its start each try was scheduled."""

PAST_RUNS = 60
PAST = timedelta(days=6.5)


def seed(lab: SpotLab, run_id: str) -> None:
    """Write the histories into the database of a running lab."""
    environment = {
        **lab.stack.env,
        "AIRFLOW__INTERRUPTIBLE__SESSION_EVENTS": "False",  # these rows are history, nothing follows from them
        "PYTHONPATH": os.pathsep.join([lab.stack.env.get("PYTHONPATH", ""), str(Path(__file__).parents[2])]),
    }
    subprocess.run([sys.executable, __file__, run_id], env=environment, check=True, timeout=PATIENCE)


def write(session: Session, run_id: str, story: Story) -> None:
    """Write one history: Airflow's rows, and the ledger."""
    from airflow_interruptible.server import seam, state_store

    ti = seam.find(session, (story.dag_id, story.task_id, run_id, story.map_index))
    attempts = simulate(story.budget, True, [ENDINGS[letter] for letter in story.endings]).attempts
    assert len(attempts) == len(story.endings), f"{story.task_id} would have ended before"
    records = list(_records(run_id, story, attempts))
    for (attempt, record), letter in zip(records[:-1], story.endings, strict=False):
        session.add(_history(ti, attempt, record, ENDINGS[letter]))
    ti.dag_run.created_at = min(ti.dag_run.created_at, _time(records[0][1].started))  # no attempt is older than its run
    last_attempt, last = records[-1]
    ti.try_number, ti.max_tries = last_attempt.attempt, story.budget.total_retries
    ti.start_date, ti.end_date = _time(last.started), _time(last.ended)
    ti.scheduled_dttm = ti.start_date - SCHEDULED
    ti.executor_config = _on(ti, last_attempt.capacity)
    ledger = Ledger(story.budget.total_retries, (0,), {attempt.attempt: record for attempt, record in records})
    state_store.write_state(session, ti, LEDGER_KEY, _document(ledger, records))


def write_past(session: Session, run_id: str) -> None:
    """Write runs of a week, of one task each: most of its attempts were left in peace."""
    random = Random(PAST_RUNS)
    for number in range(PAST_RUNS):
        past, ago = f"past_{number}", PAST * (number + 0.5) / PAST_RUNS
        _copy_run(session, run_id, past, datetime.now(timezone.utc) - ago)
        endings = random.choice(["o", "o", "o", "Io", "IFo"])
        write(session, past, Story("fit", endings, Budget(4, 7), minutes=70, ago=ago, dag_id=PAST_DAG))


def _copy_run(session: Session, run_id: str, new_run_id: str, at: datetime) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import insert, inspect, select

    for model, fresh in ((DagRun, {"run_after": at}), (TaskInstance, {"id": uuid.uuid4()})):
        row = session.scalar(select(model).where(model.dag_id == PAST_DAG, model.run_id == run_id))
        columns = {attribute.key: getattr(row, attribute.key) for attribute in inspect(model).column_attrs}
        columns.pop("id")
        session.execute(insert(model).values({**columns, **fresh, "run_id": new_run_id}))


def _records(run_id: str, story: Story, attempts: Sequence[PlannedAttempt]) -> Any:
    random = Random(f"{run_id}{story.task_id}{story.map_index}")
    lengths = [timedelta(minutes=story.minutes * random.uniform(0.3, 1.6)) for _ in attempts]
    pauses = [timedelta(seconds=random.choice(story.pauses)) for _ in attempts]
    history = History(True, Account(story.budget))
    started = datetime.now(timezone.utc) - story.ago - sum((*lengths, *pauses), timedelta())
    for attempt, letter, length, pause in zip(attempts, story.endings, lengths, pauses, strict=True):
        cause = ENDINGS[letter].cause_on(attempt.capacity)
        rule, evidence = TOLD.get(ENDINGS[letter], (None, ""))
        placed = history.next_placement
        verdict = decide(history, Trace(attempt.capacity, cause), evidence) if cause else None
        history = verdict.history if verdict else history
        yield (
            attempt,
            Record(
                capacity=attempt.capacity,
                cause=cause,
                charge=attempt.charge,
                started=started.isoformat(),
                ended=(started + length).isoformat(),
                reason=(story.reason or verdict.reason) if verdict else None,
                rule=rule,
                why=placed.why,
                where=_where(attempt, random),
                error=ERROR if ENDINGS[letter] is Ending.APPLICATION else None,
            ),
        )
        started += length + pause


def _where(attempt: PlannedAttempt, random: Random) -> dict[str, str]:
    zone = random.choice(["eu-west-1a", "eu-west-1b", "eu-west-1b", "eu-west-1c"])
    kind = random.choice(["m5.2xlarge", "m5.2xlarge", "c6i.4xlarge"])
    return {
        "host": f"worker-{attempt.attempt}",
        "node": f"ip-10-0-{random.randrange(250)}-{random.randrange(250)}",
        "instance_id": f"i-0{random.randrange(16**9):09x}",
        "instance_type": kind,
        "zone": zone,
    }


def _document(ledger: Ledger, records: Sequence[tuple[PlannedAttempt, Record]]) -> dict[str, Any]:
    """The ledger as JSON, with what a machine on EC2 and a task with checkpoints add to it."""
    document = ledger.to_json()
    for attempt, record in records:
        row = document["attempts"][str(attempt.attempt)]
        started, ended = _time(record.started), _time(record.ended)
        if record.rule == "ec2/imds-notice":
            notice = {"at": (ended - timedelta(seconds=118)).isoformat(), "deadline": ended.isoformat()}
            row["notice"] = {"provider": "ec2", **notice}
        if attempt.capacity is CapacityType.SPOT:
            saved = started + (ended - started) * 0.7
            row["checkpoint"] = {"at": saved.isoformat(), "loaded": attempt.attempt > 1}
    return document


def _history(ti: Any, attempt: PlannedAttempt, record: Record, ending: Ending) -> Any:
    from airflow.models.taskinstancehistory import TaskInstanceHistory

    state = "success" if ending is Ending.SUCCESS else "failed"
    row = TaskInstanceHistory(ti, state=state)
    row.task_instance_id = uuid.uuid4()
    row.try_number = attempt.attempt
    row.start_date, row.end_date = _time(record.started), _time(record.ended)
    row.scheduled_dttm = row.start_date - SCHEDULED
    row.duration = (row.end_date - row.start_date).total_seconds()
    row.hostname = record.where["host"]
    row.executor_config = _on(ti, attempt.capacity)
    return row


def _on(ti: Any, capacity: CapacityType) -> dict[str, Any]:
    config = copy.deepcopy(ti.executor_config)
    config["interruptible"]["capacity"] = capacity.value
    return config


def _time(text: str | None) -> datetime:
    assert text is not None
    return datetime.fromisoformat(text)


if __name__ == "__main__":
    from airflow.utils.session import create_session

    with create_session() as database:
        for story in STORIES:
            write(database, sys.argv[1], story)
        write_past(database, sys.argv[1])

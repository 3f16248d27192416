# SPDX-License-Identifier: Apache-2.0
"""Reports, from the database to the sums; and that a ledger is read once."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.utils.session import create_session
from sqlalchemy import delete, update

from airflow_interruptible.cli import main
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.ledger import Record
from airflow_interruptible.report import memory as module
from airflow_interruptible.report.answer import full_report, interruptions
from airflow_interruptible.report.filters import Filters
from airflow_interruptible.report.memory import Memory
from airflow_interruptible.server import seam
from airflow_interruptible.ui import schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from airflow_interruptible.report.entry import Entry

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
A_DAY_AGO = datetime.now(timezone.utc) - timedelta(days=1)


def ago(minutes: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


def moment(minutes: float) -> datetime:
    return datetime.fromisoformat(ago(minutes))


def asked(days: float = 1, **said: Any) -> Filters:
    now = datetime.now(timezone.utc)
    return Filters(now - timedelta(days=days), now + timedelta(minutes=1), **said)


LOST = Record(SPOT, Cause.SPOT_INTERRUPTION, Charge.SYSTEM, ago(60), ago(30), "taken away", {"zone": "z1"})


@pytest.fixture(autouse=True)
def _nothing_else(database: None) -> None:
    """No ledger of another test."""
    with create_session(scoped=False) as session:
        session.execute(delete(TaskStateStoreModel))


@pytest.fixture
def read_ids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the ledgers whose documents have been read."""
    seen: list[int] = []
    real = module.entries

    def remember(row: Any) -> list[Entry]:
        seen.append(row.id)
        return real(row)

    monkeypatch.setattr(module, "entries", remember)
    return seen


def lost_once(deploy: Any) -> Any:
    return deploy().trigger().start_run(A_DAY_AGO).run(record=LOST).reported()


def test_a_history_is_summed_up(deploy: Any) -> None:
    deployment = lost_once(deploy)
    deployment.run(record=Record(ON_DEMAND, started=ago(20))).finished("success")
    found = full_report(asked(), memory=Memory())
    assert (found.totals.attempts, found.totals.interruptions, found.totals.forgiven) == (2, 1, 1)
    assert found.totals.on_demand_fallbacks == 1
    assert found.totals.spot_hours == pytest.approx(0.5, abs=0.01)
    assert found.totals.on_demand_hours == pytest.approx(1 / 3, abs=0.01)
    assert [share.value for share in found.by_task] == [f"{deployment.dag.dag_id}.work"]


def test_where_the_time_to_recover_went_is_read_from_airflows_rows(deploy: Any) -> None:
    silent = replace(LOST, started=ago(60), ended=ago(10), heard=ago(40))
    deployment = deploy().trigger().start_run(A_DAY_AGO).run(record=silent).reported()
    deployment.run(record=Record(SPOT, started=ago(5)))
    deployment._update(-1, scheduled_dttm=moment(8), start_date=moment(6))
    history = seam.models().history
    ended = history.dag_id == deployment.dag.dag_id, history.try_number == 1
    with create_session(scoped=False) as session:
        session.execute(update(history.__table__).where(*ended).values(end_date=moment(10)))
    found = full_report(asked(), memory=Memory())
    told = schemas.Report.model_validate(found).recovery
    assert told is not None
    parts = told.parts.model_dump()
    minutes = {name: part and round(part["median"] / 60, 1) for name, part in parts.items()}
    assert (told.count, round(told.median / 60, 1)) == (1, 35.0)
    assert minutes == {"noticing": 30.0, "delay": 2.0, "queue": 2.0, "start": 1.0}


def test_an_airflow_that_does_not_tell_when_a_try_was_scheduled_parts_nothing(
    deploy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost_once(deploy).run(record=Record(SPOT, started=ago(5)))
    known = seam.models()
    monkeypatch.setattr(seam, "models", lambda: replace(known, history=object))
    recovery = full_report(asked(), memory=Memory()).recovery
    assert recovery is not None
    assert asdict(recovery.parts) == dict.fromkeys(("noticing", "delay", "queue", "start"))


def test_a_page_of_interruptions_has_the_reasons_of_the_latest(deploy: Any) -> None:
    first, second = lost_once(deploy), lost_once(deploy)
    memory = Memory()
    page = interruptions(asked(), None, limit=1, offset=0, memory=memory)
    assert (page.total, page.complete) == (2, True)
    rest = interruptions(asked(), None, limit=10, offset=1, memory=memory)
    shown = [(entry.dag_id, said.reason) for entry, said in (*page.items, *rest.items)]
    assert sorted(shown) == sorted((each.dag.dag_id, "taken away") for each in (first, second))
    assert interruptions(asked(), set(), limit=10, offset=0, memory=memory).total == 0


def test_a_ledger_is_read_once(deploy: Any, read_ids: list[int]) -> None:
    memory = Memory(fresh=-1)
    lost_once(deploy)
    for _ in range(3):
        assert full_report(asked(), memory=memory).totals.attempts == 1
    assert len(read_ids) == 1
    other = lost_once(deploy)
    assert full_report(asked(), memory=memory).totals.attempts == 2
    assert len(read_ids) == 2
    other.run(record=Record(SPOT, started=ago(5)))
    assert full_report(asked(), memory=memory).totals.attempts == 3
    assert read_ids[1] == read_ids[2]


def test_the_end_of_a_success_is_seen_although_the_ledger_stays(deploy: Any) -> None:
    memory = Memory(fresh=-1)
    deployment = deploy().trigger().start_run(A_DAY_AGO).run(record=Record(SPOT, started=ago(60)))
    assert full_report(asked(), memory=memory).totals.spot_hours == pytest.approx(1, abs=0.01)
    deployment.finished("success")
    (entry,) = memory.entries(create_session, asked().start).entries
    assert entry.end < float("inf")


def test_a_write_by_a_host_whose_clock_lags_is_seen(deploy: Any) -> None:
    memory = Memory(fresh=-1)
    early, _ = lost_once(deploy), lost_once(deploy)
    assert full_report(asked(), memory=memory).totals.attempts == 2
    last = full_report(asked(), memory=memory).totals
    early.report(Record(SPOT, Cause.APPLICATION, Charge.USER, ago(60), ago(30), "its own error"))
    with create_session(scoped=False) as session:
        long_ago = datetime.now(timezone.utc) - timedelta(hours=1)
        mine = TaskStateStoreModel.dag_id == early.dag.dag_id
        session.execute(update(TaskStateStoreModel).where(mine).values(updated_at=long_ago))
    assert (last.interruptions, full_report(asked(), memory=memory).totals.interruptions) == (2, 1)


def test_what_is_gone_is_forgotten(deploy: Any) -> None:
    memory = Memory(fresh=-1)
    deployment = lost_once(deploy)
    assert full_report(asked(), memory=memory).totals.attempts == 1
    with create_session(scoped=False) as session:
        session.execute(delete(DagRun).where(DagRun.dag_id == deployment.dag.dag_id))
        session.execute(delete(TaskStateStoreModel))
    assert full_report(asked(), memory=memory).totals.attempts == 0


def test_an_answer_is_good_for_a_while(deploy: Any) -> None:
    memory = Memory(fresh=3600)
    lost_once(deploy)
    assert full_report(asked(), memory=memory).totals.attempts == 1
    lost_once(deploy)
    assert full_report(asked(), memory=memory).totals.attempts == 1
    assert full_report(asked(days=2), memory=memory).totals.attempts == 2  # an older range has to be read


def test_what_is_older_than_asked_for_is_not_read(deploy: Any, read_ids: list[int]) -> None:
    old = replace_times(LOST, days=30)
    deployment = deploy().trigger().start_run().run(record=old).finished("failed")
    with create_session(scoped=False) as session:
        month_ago = datetime.now(timezone.utc) - timedelta(days=30)
        session.execute(update(TaskStateStoreModel).values(updated_at=month_ago))
        ti = seam.models().task_instance
        session.execute(update(ti).where(ti.dag_id == deployment.dag.dag_id).values(end_date=month_ago))
    memory = Memory(fresh=-1)
    for _ in range(2):
        assert full_report(asked(), memory=memory).totals.attempts == 0
    assert read_ids == []
    assert full_report(asked(days=60), memory=memory).totals.attempts == 1


def replace_times(record: Record, days: float) -> Record:
    return Record(
        record.capacity, record.cause, record.charge, ago(days * 1440 + 60), ago(days * 1440 + 30), record.reason
    )


def test_more_than_is_kept_is_said(deploy: Any) -> None:
    for _ in range(3):
        lost_once(deploy)
    memory = Memory(limit=2, fresh=-1)
    assert full_report(asked(), memory=memory).truncated
    again = full_report(asked(), memory=memory)
    assert again.truncated
    assert again.totals.attempts == 2


def sessions_after(may_read: threading.Event) -> Callable[[], AbstractContextManager[Any]]:
    """Sessions of a database that answers nobody before it may."""

    @contextmanager
    def slow() -> Iterator[Any]:
        may_read.wait(30)
        with create_session() as session:
            yield session

    return slow


def test_nobody_waits_longer_than_they_want_to(deploy: Any) -> None:
    lost_once(deploy)
    may_read = threading.Event()
    slow = sessions_after(may_read)
    memory = Memory()
    early = memory.entries(slow, asked().start, patience=0.01)
    assert (early.complete, len(early.entries)) == (False, 0)
    may_read.set()
    late = memory.entries(slow, asked().start, patience=30)
    assert (late.complete, len(late.entries)) == (True, 1)


def test_who_is_in_a_hurry_takes_what_is_known_while_it_is_not_stale(deploy: Any) -> None:
    lost_once(deploy)
    may_read = threading.Event()
    slow = sessions_after(may_read)
    memory = Memory(fresh=-1)
    assert len(memory.entries(create_session, asked().start).entries) == 1
    lost_once(deploy)
    at_once = memory.entries(slow, asked().start, patience=30)
    assert (at_once.complete, len(at_once.entries)) == (True, 1)
    memory.stale = -1
    assert not memory.entries(slow, asked().start, patience=0.01).complete
    may_read.set()
    assert len(memory.entries(create_session, asked().start).entries) == 2


def test_what_is_still_being_put_together_is_not_taken_for_all(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, older, seen, known = Memory(), asked(days=9), [], module.Known
    memory.entries(create_session, asked().start)

    def build(*entries: Any, **said: Any) -> Any:
        if "truncated" in said:
            seen.append(memory.entries(create_session, older.start, patience=0).complete)
        return known(*entries, **said)

    monkeypatch.setattr(module, "Known", build)
    assert memory.entries(create_session, older.start).complete
    assert seen == [False]


def test_older_days_are_read_without_reading_the_later_ones_again(deploy: Any, read_ids: list[int]) -> None:
    memory = Memory(fresh=-1)
    lost_once(deploy)
    old = lost_once(deploy)
    old.run(record=Record(ON_DEMAND, started=ago(20))).finished("success")
    a_week_ago = moment(8 * 24 * 60)
    model = seam.models().task_instance
    with create_session(scoped=False) as session:
        of_old = TaskStateStoreModel.dag_id == old.dag.dag_id, model.dag_id == old.dag.dag_id
        session.execute(update(TaskStateStoreModel).where(of_old[0]).values(updated_at=a_week_ago))
        session.execute(update(model.__table__).where(of_old[1]).values(end_date=a_week_ago))
    assert full_report(asked(days=2), memory=memory).totals.attempts == 1
    assert len(read_ids) == 1
    later = lost_once(deploy)
    assert full_report(asked(days=20), memory=memory).totals.attempts == 4
    assert len(read_ids) == len(set(read_ids)) == 3, "what has come since, and what is older"
    later.run(record=Record(SPOT, started=ago(5)))
    assert full_report(asked(days=20), memory=memory).totals.attempts == 5
    assert len(read_ids) == 4


def test_a_row_of_ever_older_questions_is_not_a_row_of_readings(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lost_once(deploy)
    memory, readings, since = Memory(), [], module.rows.since
    monkeypatch.setattr(module.rows, "since", lambda *asked: readings.append(asked) or since(*asked))
    evening = (datetime.now(timezone.utc) - timedelta(days=2)).replace(hour=20)
    for hours in range(20):
        assert len(memory.entries(create_session, evening - timedelta(hours=hours)).entries) == 1
    assert len(readings) == 1
    for year in range(2000, 1, -100):
        memory.entries(create_session, datetime(year, 1, 1, tzinfo=timezone.utc))
    assert len(readings) == 2


def test_a_database_that_is_away_is_told_and_asked_again(deploy: Any) -> None:
    lost_once(deploy)
    memory = Memory()

    def away() -> Any:
        raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        memory.entries(away, asked().start)
    assert len(memory.entries(create_session, asked().start).entries) == 1


def test_a_store_elsewhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.state.get_state_backend", object)
    with pytest.raises(ConfigurationError, match="cannot be listed"):
        full_report(asked(), memory=Memory())


def test_the_command_line_tells_the_same(deploy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    deployment = lost_once(deploy)
    lost_once(deploy)
    capsys.readouterr()
    main(["report", "--dag-id", deployment.dag.dag_id, "--output", "json"])
    assert json.loads(capsys.readouterr().out)["totals"]["interruptions"] == 1
    with pytest.raises(SystemExit, match="The range must end after"):
        main(["report", "--start", "2026-01-02", "--end", "2026-01-01"])
    with pytest.raises(SystemExit, match="not within the years"):
        main(["report", "--end", "9999-12-31T23:59:59-23:00"])


def test_the_command_line_says_that_a_history_cannot_be_read(deploy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    deployment = lost_once(deploy).set_ledger({"version": 99})
    named = [deployment.dag.dag_id, "run", "work"]
    with pytest.raises(SystemExit, match="is not a ledger"):
        main(["attempts", *named])
    with pytest.raises(SystemExit) as ended:
        main(["explain", "--attempt", *named])
    assert ended.value.code == 2
    assert "is not a ledger" in capsys.readouterr().err


def test_a_terminal_only_shows_a_reason(deploy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    reason = replace(LOST, reason="bad \x1b[2J\nnews")
    deployment = deploy().trigger().start_run().run(record=reason).reported()
    for command in (["attempts"], ["explain", "--attempt"]):
        main([*command, deployment.dag.dag_id, "run", "work"])
        assert "bad  [2J news\n" in capsys.readouterr().out

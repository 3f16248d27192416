# SPDX-License-Identifier: Apache-2.0
"""What a server counts has happened: it was committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from airflow_interruptible.server.counting import after_commit

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(create_engine("sqlite://")) as found:
        found.execute(text("select 1"))
        yield found


@pytest.fixture
def called() -> list[str]:
    return []


def test_nothing_is_counted_before_the_commit(session: Session, called: list[str]) -> None:
    after_commit(session, lambda: called.append("a"))
    after_commit(session, lambda: called.append("b"))
    session.flush()
    assert called == []
    session.commit()
    assert called == ["a", "b"]


def test_nothing_is_counted_twice(session: Session, called: list[str]) -> None:
    after_commit(session, lambda: called.append("a"))
    session.commit()
    session.execute(text("select 1"))
    session.commit()
    after_commit(session, lambda: called.append("b"))
    session.commit()
    assert called == ["a", "b"]


def test_what_is_rolled_back_has_not_happened(session: Session, called: list[str]) -> None:
    after_commit(session, lambda: called.append("a"))
    session.rollback()
    session.commit()
    assert called == []


def test_a_savepoint_is_no_commit(session: Session, called: list[str]) -> None:
    with session.begin_nested():
        after_commit(session, lambda: called.append("a"))
    assert called == []
    session.commit()
    assert called == ["a"]


def test_a_count_that_fails_fails_alone(session: Session, called: list[str]) -> None:
    def broken() -> None:
        raise RuntimeError

    after_commit(session, broken)
    after_commit(session, lambda: called.append("b"))
    session.commit()
    assert called == ["b"]

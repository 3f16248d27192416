# SPDX-License-Identifier: Apache-2.0
"""The task state store, where the ledger is: whether it can be reached, and by the server as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.doctor.finding import Finding, Severity, core_link
from airflow_interruptible.server import seam, state_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.doctor.deployment import Deployment


def check(deployment: Deployment) -> Iterator[Finding]:
    """Look at the store's options, and read from it."""
    yield from _options(deployment)
    yield from _reached()


def _options(deployment: Deployment) -> Iterator[Finding]:
    backend = deployment.option("workers", "state_store_backend")
    if backend:
        yield Finding(
            id="state-store/workers-backend",
            severity=Severity.WARNING,
            setting="[workers] state_store_backend",
            value=backend,
            better="unset, which is Airflow's own store",
            why="The scheduler cannot read ledgers that workers keep elsewhere: what nobody reported is judged when "
            "the next attempt begins, lost machines are not looked for, and reports are empty.",
            link=core_link("state_store_backend"),
        )
    if deployment.says_yes("state_store", "clear_on_success", default=False):
        yield Finding(
            id="state-store/cleared",
            severity=Severity.INFO,
            setting="[state_store] clear_on_success",
            value="True",
            better="False",
            why="The history of a task goes with its success, so reports count only tasks that did not succeed.",
            link=core_link("clear_on_success"),
        )
    days = deployment.number("state_store", "default_retention_days", 30)
    if 0 < days < 2:  # noqa: PLR2004 - the rule itself
        yield Finding(
            id="state-store/retention",
            severity=Severity.WARNING,
            setting="[state_store] default_retention_days",
            value=f"{days:g}",
            better="30",
            why="A task that runs or waits for longer than this loses its history, and with it both budgets' accounts.",
            link=core_link("default_retention_days"),
        )


def _reached() -> Iterator[Finding]:
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    setting = "[database] sql_alchemy_conn"
    try:
        seam.models()
        model = state_store.stored_states()
        with create_session(scoped=False) as session:
            session.scalar(select(model.id).limit(1))
    except seam.SeamChangedError as error:
        yield Finding(
            id="state-store/seam",
            severity=Severity.ERROR,
            setting="the metadata database",
            value=str(error),
            better="a version of Airflow and of this package that know each other",
            why="The server reads and places attempts by Airflow's own tables. Where it does not know them, attempts "
            "stay where their first one was placed.",
            link="docs/install.md",
        )
    except SQLAlchemyError as error:
        yield Finding(
            id="state-store/unreachable",
            severity=Severity.ERROR,
            setting=setting,
            value=str(getattr(error, "orig", None) or type(error).__name__),
            better="a database that answers, migrated by `airflow db migrate`",
            why="The history of every interruptible task is kept there. Run this where Airflow's servers run.",
            link=core_link("sql_alchemy_conn"),
        )

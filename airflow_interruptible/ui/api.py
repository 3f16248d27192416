# SPDX-License-Identifier: Apache-2.0
"""The JSON API: what is asked for, who may ask, and whom it is passed on to.

The routes are plain functions, so that FastAPI runs them in a thread and the API server's event loop never waits for
a database or for arithmetic of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from airflow_interruptible.attempts import tell
from airflow_interruptible.exceptions import ConfigurationError, LedgerError
from airflow_interruptible.report import answer
from airflow_interruptible.report.run import run_report
from airflow_interruptible.server import tries
from airflow_interruptible.server.seam import SeamChangedError
from airflow_interruptible.ui import attempts as of_attempts
from airflow_interruptible.ui import report as of_report
from airflow_interruptible.ui import schemas
from airflow_interruptible.ui.access import ReadableDags, may_read_task_instances

_PATIENCE = 0.5
"""How long, in seconds, an answer waits for what this process has not read yet, so that no page takes over a second."""


def _refusal(status: int, why: str) -> dict[int | str, dict[str, Any]]:
    """Return how the OpenAPI document describes an answer that is none."""
    return {status: {"description": why, "model": schemas.Refusal}}


def _without_nul(request: Request) -> None:
    """Refuse the one character that PostgreSQL takes in no text, before anybody asks it."""
    for name, value in request.query_params.multi_items():
        if "\0" in value:
            wrong = {"type": "value_error", "loc": ("query", name), "msg": "No name holds the character NUL."}
            raise RequestValidationError([wrong])


router = APIRouter(
    prefix="/api",
    dependencies=[Depends(_without_nul)],
    tags=["Interruptible"],
    responses={**_refusal(401, "Not signed in"), **_refusal(403, "Not allowed to read the Dag")},
)

_UNKNOWN = _refusal(501, "This version of Airflow is not known")
_NO_LIST = _refusal(
    501, "This version of Airflow is not known, what it keeps cannot be listed, or a setting cannot be meant"
)


@router.get(
    "/attempts",
    dependencies=[may_read_task_instances],
    responses={**_refusal(404, "No such task instance"), **_refusal(409, "Its history cannot be read"), **_UNKNOWN},
)
def attempts(
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: Annotated[int, Query(ge=-1, lt=2**31, description="-1 for a task that is not mapped")] = -1,
) -> schemas.Attempts:
    """The attempts of a task instance: on what and where they ran, why they ended, who paid."""
    from airflow.utils.session import create_session

    key = (dag_id, task_id, run_id, map_index)
    try:
        with _told(), create_session() as session:
            known = tries.read(session, key)
        if known is not None:
            return of_attempts.answer(key, tell(known))
    except (LedgerError, ValidationError) as error:
        raise HTTPException(409, str(error)) from error
    mapped = f" at map index {map_index}" if map_index >= 0 else ""
    raise HTTPException(404, f"There is no {dag_id}.{task_id} in run {run_id}{mapped}.")


@router.get("/run", dependencies=[may_read_task_instances], responses=_NO_LIST)
def run(dag_id: str, run_id: str) -> schemas.Run:
    """A Dag run: what became of each of its interruptible task instances."""
    with _told():
        return schemas.Run.model_validate(run_report(dag_id, run_id))


@router.get("/report", dependencies=[may_read_task_instances], responses=_NO_LIST)
def report(asked: Annotated[schemas.Asked, Query()], readable: ReadableDags) -> schemas.Report:
    """Interruptions, hours and savings of the Dags that the user may read."""
    with _told():
        return of_report.report(answer.full_report(of_report.filters(asked), readable, patience=_PATIENCE))


@router.get("/interruptions", dependencies=[may_read_task_instances], responses=_NO_LIST)
def interruptions(asked: Annotated[schemas.AskedPage, Query()], readable: ReadableDags) -> schemas.Interruptions:
    """The interruptions of the Dags that the user may read, the latest first."""
    with _told():
        found = answer.interruptions(
            of_report.filters(asked), readable, limit=asked.limit, offset=asked.offset, patience=_PATIENCE
        )
        return of_report.page(found)


@contextmanager
def _told() -> Iterator[None]:
    """Say in the answer what this Airflow or its settings lack."""
    try:
        yield
    except (SeamChangedError, ConfigurationError) as error:
        raise HTTPException(501, str(error)) from error

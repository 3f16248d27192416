# SPDX-License-Identifier: Apache-2.0
"""The pages: shells without any data, whose scripts ask the JSON API for what the visitor may see.

So a page needs no more than a visitor who is signed in, as Airflow's own do. All addresses in them are relative: they
hold below any path that ``[api] base_url`` has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from airflow_interruptible.ui.access import visitor
from airflow_interruptible.ui.static_files import static_files, template, version

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"

router = APIRouter(include_in_schema=False)


def _page(name: str, user: BaseUser | None) -> HTMLResponse:
    status = 401 if user is None else 200
    name = "signed-out" if user is None else name
    return HTMLResponse(template(name), status_code=status, headers={"Cache-Control": _ASK_AGAIN, "Vary": "Cookie"})


@router.get("/attempts")
async def attempts_page(request: Request) -> HTMLResponse:
    """The attempts of one task instance."""
    return _page("attempts", await visitor(request))


@router.get("/run")
async def run_page(request: Request) -> HTMLResponse:
    """The task instances of one Dag run."""
    return _page("run", await visitor(request))


@router.get("/interruptions")
async def interruptions_page(request: Request) -> HTMLResponse:
    """The interruptions of all Dags, of one, or of one task."""
    return _page("interruptions", await visitor(request))


@router.get("/static/{digest}/{name}")
async def static_file(digest: str, name: str, request: Request) -> Response:
    """A style sheet or a script. Another release's digest gets ours, but may not keep it."""
    file = static_files().get(name)
    if file is None:
        return Response(status_code=404)
    headers = {"Cache-Control": _FOR_EVER if digest == version() else _ASK_AGAIN, "ETag": file.etag}
    if request.headers.get("If-None-Match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.body, media_type=file.media_type, headers=headers)

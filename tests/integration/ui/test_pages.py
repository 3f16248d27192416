# SPDX-License-Identifier: Apache-2.0
"""The pages as they are sent: shells for those who are signed in, and files that a browser may keep."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from airflow_interruptible.ui import pages

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], TestClient]:
    """The pages, mounted below a path, for somebody who is signed in or not."""

    def build(signed_in: bool) -> TestClient:
        async def visitor(_request: object) -> object | None:
            return object() if signed_in else None

        monkeypatch.setattr(pages, "visitor", visitor)
        mounted, app = FastAPI(), FastAPI()
        mounted.include_router(pages.router)
        app.mount("/somewhere/interruptible", mounted)
        return TestClient(app, base_url="http://airflow/somewhere/interruptible/")

    return build


@pytest.mark.parametrize("page", ["attempts", "run", "interruptions"])
def test_a_page_is_a_shell_whose_files_can_be_had(client: Callable[[bool], TestClient], page: str) -> None:
    http = client(True)
    answer = http.get(f"{page}?dag_id=<script>&task_id=secret_task")
    assert answer.status_code == 200
    assert "secret_task" not in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    files = re.findall(r"(?:src|href)=\"(static/[^\"]+)\"", answer.text)
    assert len(files) == 4
    for file in files:
        sent = http.get(file)
        assert sent.status_code == 200
        assert sent.headers["content-type"].startswith("text/javascript" if file.endswith("js") else "text/css")
        assert sent.headers["cache-control"].endswith("immutable")
        assert http.get(file, headers={"If-None-Match": sent.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("page", ["attempts", "interruptions"])
def test_a_stranger_gets_the_way_to_the_log_in(client: Callable[[bool], TestClient], page: str) -> None:
    answer = client(False).get(page)
    assert answer.status_code == 401
    assert "api/v2/auth/login" in answer.text


def test_a_file_of_another_release_is_ours_and_not_kept(client: Callable[[bool], TestClient]) -> None:
    answer = client(False).get("static/older/theme.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fpages.py", "%2e%2e"])
def test_nothing_else_is_served(client: Callable[[bool], TestClient], name: str) -> None:
    assert client(True).get(f"static/any/{name}").status_code == 404

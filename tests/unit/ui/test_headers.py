# SPDX-License-Identifier: Apache-2.0
"""The headers on every answer."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import HTMLResponse

from airflow_interruptible.ui.headers import CONTENT_SECURITY_POLICY, SecurityHeaders

app = FastAPI(docs_url=None)
app.add_middleware(SecurityHeaders)


@app.get("/json")
def _json() -> dict[str, str]:
    return {"reason": "<script>alert(1)</script>"}


@app.get("/page")
def _page() -> HTMLResponse:
    return HTMLResponse("<p>", headers={"Cache-Control": "max-age=60"})


client = TestClient(app)


def test_nothing_of_ours_runs_a_script_that_is_not_ours() -> None:
    for path in ("/json", "/page", "/nowhere"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; ")


def test_json_is_never_taken_for_a_page_nor_kept() -> None:
    answer = client.get("/json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get("/nowhere").headers["Cache-Control"] == "no-store"


def test_a_page_says_itself_how_long_it_may_be_kept() -> None:
    assert client.get("/page").headers["Cache-Control"] == "max-age=60"

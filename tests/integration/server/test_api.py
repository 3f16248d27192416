# SPDX-License-Identifier: Apache-2.0
"""The JSON API, with Airflow's own authentication and two people, one of whom may read one Dag and none other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.api_fastapi import app as airflow_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.utils.session import create_session
from e2e.ui import people
from fastapi.testclient import TestClient
from sqlalchemy import delete, update

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.ledger import Record
from airflow_interruptible.report.memory import Memory
from airflow_interruptible.server import seam
from airflow_interruptible.ui.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

SPOT = CapacityType.SPOT
SCRIPT = "<script>alert(1)</script>"


def ago(minutes: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


LOST = Record(
    SPOT,
    Cause.SPOT_INTERRUPTION,
    Charge.SYSTEM,
    ago(60),
    ago(30),
    SCRIPT,
    {"zone": "z1", "node": "n1"},
    "ec2/imds-notice",
    why="the task is interruptible",
    notice={"provider": "ec2", "at": ago(32), "deadline": None},
    checkpoint={"at": ago(40), "loaded": False},
)


@pytest.fixture
def clients(database: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, TestClient]]:
    """Clients of the application by who uses them; ``stranger`` has not signed in."""
    with create_session(scoped=False) as session:
        session.execute(delete(TaskStateStoreModel))
    for key, value in people.settings(tmp_path)["config"]["core"].items():
        monkeypatch.setenv(f"AIRFLOW__CORE__{key.upper()}", str(value))
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "s" * 64)
    monkeypatch.setattr("airflow_interruptible.report.answer.MEMORY", Memory())
    for question in ("full_report", "interruptions"):
        function = getattr(__import__("airflow_interruptible.report.answer", fromlist=[question]), question)
        monkeypatch.setitem(function.__kwdefaults__, "memory", Memory(fresh=-1))
    airflow_app.purge_cached_app()
    manager = airflow_app.init_auth_manager()
    users = {name: SimpleAuthManagerUser(username=name, role=role) for name, role in people.PEOPLE.items()}
    signed = {name: f"Bearer {manager.generate_jwt(user)}" for name, user in users.items()}
    yield {
        "stranger": TestClient(app),
        **{name: TestClient(app, headers={"Authorization": token}) for name, token in signed.items()},
    }
    airflow_app.purge_cached_app()


def an_hour_ago() -> datetime:
    return datetime.now(timezone.utc) - timedelta(hours=1)


@pytest.fixture
def theirs(deploy: Any) -> Any:
    """A task instance of a Dag that a guest may not read."""
    return (
        deploy()
        .trigger()
        .start_run(an_hour_ago())
        .run(record=LOST)
        .reported()
        .run(record=Record(SPOT, started=ago(20)))
    )


@pytest.fixture
def shared(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A task instance of the Dag that a guest may read."""
    deployment = deploy().trigger().start_run(an_hour_ago()).run(record=LOST).reported()
    monkeypatch.setitem(people.ONLY, "guest", deployment.dag.dag_id)
    return deployment


def of(deployment: Any, **more: Any) -> dict[str, Any]:
    return {"dag_id": deployment.dag.dag_id, "run_id": "run", "task_id": "work", **more}


def test_everything_about_a_task_instance(clients: Any, theirs: Any) -> None:
    answer = clients["admin"].get("/api/attempts", params=of(theirs)).json()
    assert answer["summary"] == "Interrupted once on spot, forgiven; 2 of 2 retries left; now on spot."
    assert [answer[name] for name in ("annotated", "interruptible", "live")] == [True] * 3
    assert answer["state"] == "running"
    assert answer["budget"] == {
        "user_retries": 2, "user_retries_left": 2, "system_retries": 2, "system_retries_left": 1,
    }  # fmt: skip
    assert answer["next"] is None
    first, second = answer["attempts"]
    assert (first["capacity"], first["cause"], first["charge"]) == ("spot", "spot_interruption", "system")
    assert first["placed_because"] == "the task is interruptible"
    assert (first["rule"], first["rule_source"][:8]) == ("ec2/imds-notice", "https://")
    assert first["where"] == {"host": "h", "zone": "z1", "node": "n1"}
    assert first["notice"]["provider"] == "ec2"
    assert first["checkpoint"]["loaded"] is False
    assert first["start"].endswith("Z")
    assert (second["state"], second["cause"], second["charge"]) == ("running", None, None)


def test_who_waits_is_told_where_it_goes(clients: Any, shared: Any) -> None:
    answer = clients["admin"].get("/api/attempts", params=of(shared)).json()
    assert (answer["next"]["capacity"], answer["next"]["why"]) == ("spot", "the task is interruptible")
    assert answer["next"]["at"].endswith("Z")
    assert len(answer["attempts"]) == 1


def test_a_task_that_is_not_ours_shows_what_airflow_knows(clients: Any, deploy: Any) -> None:
    plain = deploy(annotated=False).trigger().start_run().run().finished("success")
    answer = clients["admin"].get("/api/attempts", params=of(plain)).json()
    assert (answer["annotated"], answer["budget"], answer["live"]) == (False, None, False)
    assert [attempt["state"] for attempt in answer["attempts"]] == ["success"]


def test_text_from_outside_travels_as_json_only(clients: Any, theirs: Any) -> None:
    for path in ("attempts", "interruptions"):
        answer = clients["admin"].get(f"/api/{path}", params=of(theirs) if path == "attempts" else None)
        assert SCRIPT in answer.text
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_stranger_gets_nothing(clients: Any, theirs: Any) -> None:
    for path in ("attempts", "report", "interruptions"):
        assert clients["stranger"].get(f"/api/{path}", params=of(theirs)).status_code == 401


def test_a_session_cookie_signs_in_as_on_airflows_own_pages(clients: Any, theirs: Any) -> None:
    token = clients["admin"].headers["Authorization"].partition(" ")[2]
    browser = TestClient(app, cookies={"_token": token})
    assert browser.get("/api/attempts", params=of(theirs)).status_code == 200
    assert TestClient(app, cookies={"_token": "forged"}).get("/api/report").status_code == 403


def test_a_guest_is_refused_a_dag_that_they_may_not_read(clients: Any, theirs: Any, shared: Any) -> None:
    for path in ("attempts", "report", "interruptions"):
        assert clients["guest"].get(f"/api/{path}", params=of(theirs)).status_code == 403
        assert clients["guest"].get(f"/api/{path}", params=of(shared)).status_code == 200


def test_whether_it_exists_is_no_guests_business(clients: Any, theirs: Any) -> None:
    missing = clients["guest"].get("/api/attempts", params={**of(theirs), "run_id": "none"})
    assert missing.status_code == 403
    assert clients["guest"].get("/api/attempts", params={**of(theirs), "dag_id": "~"}).status_code == 404


def test_the_dag_that_is_checked_is_the_dag_that_is_shown(clients: Any, theirs: Any, shared: Any) -> None:
    dags = [("dag_id", theirs.dag.dag_id), ("dag_id", shared.dag.dag_id)]
    rest = [("run_id", "run"), ("task_id", "work")]
    for order in (dags, dags[::-1]):
        answer = clients["guest"].get("/api/attempts", params=[*order, *rest])
        assert answer.status_code == 403 or answer.json()["dag_id"] == shared.dag.dag_id


def test_a_guest_sees_nothing_of_another_dag_in_the_sums(clients: Any, theirs: Any, shared: Any) -> None:
    everything, some = (clients[who].get("/api/report").json() for who in ("admin", "guest"))
    assert everything["totals"]["interruptions"] == 2
    assert some["totals"]["interruptions"] == 1
    assert [share["value"] for share in some["by_dag"]] == [shared.dag.dag_id]
    assert theirs.dag.dag_id not in clients["guest"].get("/api/report").text
    page = clients["guest"].get("/api/interruptions").json()
    assert (page["total"], [item["dag_id"] for item in page["items"]]) == (1, [shared.dag.dag_id])


def test_everything_about_a_run(clients: Any, theirs: Any) -> None:
    run = {"dag_id": theirs.dag.dag_id, "run_id": "run"}
    answer = clients["admin"].get("/api/run", params=run).json()
    (instance,) = answer["instances"]
    assert (instance["task_id"], instance["map_index"], instance["state"]) == ("work", -1, "running")
    assert (instance["attempts"], instance["interruptions"], instance["charged"]) == (2, 1, 0)
    assert (instance["causes"], instance["capacity"], instance["running"]) == ({"spot_interruption": 1}, "spot", True)
    assert instance["lost_seconds"] == pytest.approx(600, abs=5)
    assert answer["summary"].startswith("1 interruption hit 1 of 1 task instance;")
    assert answer["summary"].endswith("1 on spot now.")
    nothing = clients["admin"].get("/api/run", params={**run, "run_id": "no such run"}).json()
    assert (nothing["instances"], nothing["truncated"]) == ([], False)
    assert clients["guest"].get("/api/run", params=run).status_code == 403
    assert clients["stranger"].get("/api/run", params=run).status_code == 401


def test_filters_and_pages(clients: Any, theirs: Any, shared: Any) -> None:
    ask = clients["admin"].get
    assert ask("/api/interruptions", params={"limit": 1, "offset": 1}).json()["total"] == 2
    assert len(ask("/api/interruptions", params={"limit": 1, "offset": 1}).json()["items"]) == 1
    assert ask("/api/report", params={"zone": "z1", "cause": ""}).json()["totals"]["interruptions"] == 2
    assert ask("/api/report", params={"zone": "z2"}).json()["totals"]["attempts"] == 0
    assert ask("/api/report", params={"capacity": "on-demand"}).json()["totals"]["attempts"] == 0
    (item,) = ask("/api/interruptions", params={"dag_id": theirs.dag.dag_id}).json()["items"]
    assert (item["attempt"], item["zone"], item["instance_type"], item["reason"]) == (1, "z1", "unknown", SCRIPT)
    assert item["lost_seconds"] == pytest.approx(600, abs=5), "of its half an hour, what it had not saved"


@pytest.mark.parametrize(
    "query", ["start=yesterday", "cause=weather", "start=2026-01-02&end=2026-01-01", "start=2020-01-01", "limit=0",
              "limit=10000", "offset=-1", "zone=" + "z" * 300, "end=0001-01-01", "start=0001-01-01T00:00:00%2B23:59",
              "end=9999-12-31T23:59:59-23:59"],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(clients: Any, query: str) -> None:
    answer = clients["admin"].get(f"/api/interruptions?{query}")
    assert answer.status_code == 422
    assert all(wrong["msg"] and wrong["loc"] for wrong in answer.json()["detail"]), "as FastAPI documents it"


@pytest.mark.parametrize("map_index", [-2, 2**31, 10**30])
def test_a_map_index_that_no_database_holds_is_refused(clients: Any, theirs: Any, map_index: int) -> None:
    assert clients["admin"].get("/api/attempts", params=of(theirs, map_index=map_index)).status_code == 422


@pytest.mark.parametrize("name", ["dag_id", "run_id", "task_id"])
def test_a_character_that_postgresql_does_not_take_never_gets_there(
    clients: Any, theirs: Any, name: str, statements: list[str]
) -> None:
    answer = clients["admin"].get("/api/attempts", params=of(theirs, **{name: "a\0b"}))
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", name])
    assert statements == []


def test_what_runs_is_counted_unless_told_otherwise(clients: Any, theirs: Any) -> None:
    assert clients["admin"].get("/api/report").json()["totals"]["attempts"] == 2


def test_nothing_there(clients: Any, theirs: Any) -> None:
    answer = clients["admin"].get("/api/attempts", params=of(theirs, map_index=3))
    assert (answer.status_code, "at map index 3" in answer.json()["detail"]) == (404, True)
    answer = clients["admin"].get("/api/attempts", params=of(theirs, run_id="none"))
    assert answer.json()["detail"] == f"There is no {theirs.dag.dag_id}.work in run none."


def test_a_ledger_that_cannot_be_read_is_told(clients: Any, theirs: Any) -> None:
    theirs.set_ledger({"version": 99})
    answer = clients["admin"].get("/api/attempts", params=of(theirs))
    assert (answer.status_code, "is not a ledger" in answer.json()["detail"]) == (409, True)
    assert clients["admin"].get("/api/report").json()["totals"]["attempts"] == 0


@pytest.mark.parametrize("text", ["[" * 30_000 + "]" * 30_000, '{"version": 1, "reason": "\\ud800"}', "no JSON"])
def test_text_that_is_no_ledger_is_told(clients: Any, theirs: Any, text: str) -> None:
    with create_session(scoped=False) as session:
        session.execute(update(TaskStateStoreModel).values(value=text))
    assert clients["admin"].get("/api/attempts", params=of(theirs)).status_code == 409
    for path in ("report", "interruptions"):
        assert clients["admin"].get(f"/api/{path}").status_code == 200


def test_a_notice_out_of_any_calendar_is_told(clients: Any, theirs: Any) -> None:
    notice = {"provider": "ec2", "at": "0001-01-01T00:00:00+23:59", "deadline": None}
    theirs.report(replace(LOST, notice=notice))
    assert clients["admin"].get("/api/attempts", params=of(theirs)).status_code == 409


def test_a_version_of_airflow_that_is_not_known_is_said(clients: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence; the pages come, and show it."""
    monkeypatch.setattr(seam, "_TRY_COLUMNS", {*seam._TRY_COLUMNS, "zodiac"})
    seam.models.cache_clear()
    try:
        one = {"dag_id": "d", "run_id": "r", "task_id": "t"}
        for path in ("attempts", "run", "report", "interruptions"):
            answer = clients["admin"].get(f"/api/{path}", params=one)
            assert answer.status_code == 501
            assert "does not know this version of Airflow: TaskInstance has no zodiac. " in answer.json()["detail"]
        for page in ("attempts", "run", "interruptions"):
            assert clients["admin"].get(f"/{page}").status_code == 200
    finally:
        seam.models.cache_clear()


def test_it_is_documented(clients: Any) -> None:
    document = clients["stranger"].get("/openapi.json").json()
    paths = {path: operation["get"] for path, operation in document["paths"].items() if path.startswith("/api/")}
    assert set(paths) == {"/api/attempts", "/api/run", "/api/report", "/api/interruptions"}
    for operation in paths.values():
        assert operation["description"]
        known = {"404", "409", "501"} if "attempts" in operation["operationId"] else {"501"}
        assert set(operation["responses"]) == {"200", "401", "403", "422", *known}
        for answer in operation["responses"].values():
            assert "$ref" in answer["content"]["application/json"]["schema"]
    assert clients["stranger"].get("/docs").status_code == 404  # it would load its scripts from another host

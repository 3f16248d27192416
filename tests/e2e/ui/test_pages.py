"""The pages, in a real Chromium, in a real Airflow, which is served below a path as behind many a proxy."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from e2e.ui.browser import Faults, chromium, new_context
from e2e.ui.seeding import DAG, SCRIPT, seed
from playwright.sync_api import expect

from airflow_interruptible.testing import SpotLab
from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, FrameLocator, Page

    from airflow_interruptible.testing import DagRun

    Open = Callable[..., Page]

pytestmark = pytest.mark.e2e

PREFIX = "/teams/airflow"
COUNTS = {"waiting": 0, "one": 1, "twelve": 12, "two_hundred": 200}
FRAME = "iframe"
OUTCOMES = "#content tbody .badge"


@pytest.fixture(scope="module")
def lab() -> Iterator[SpotLab]:
    """A stack below a path, with the histories written, and one task that runs."""
    lab = SpotLab(Path(__file__).parent / "dags")
    lab.stack.env["AIRFLOW__API__BASE_URL"] = lab.stack.base_url + PREFIX
    with lab:
        yield lab


@pytest.fixture(scope="module")
def live(lab: SpotLab) -> DagRun:
    """A run whose task is at work, and whose other task waits for it."""
    return lab.trigger("spot_live", run_id="live")


@pytest.fixture(scope="module")
def stories(lab: SpotLab, live: DagRun) -> DagRun:
    """A run with the histories of ``seeding.py``; a run of a Dag that nobody annotated is there too."""
    run = lab.trigger(DAG, run_id="stories")
    plain = lab.trigger("plain_tasks", run_id="plain")
    for each in (run, plain):
        assert lab.client.wait_for_run(each).state == "success"
    seed(lab, run.run_id)
    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser: Browser, lab: SpotLab, stories: DagRun) -> Iterator[Open]:
    """Open a page of Airflow's or ours; whatever it does that it must not do fails the test."""
    faults = Faults(urlsplit(lab.stack.base_url).netloc)
    contexts = []

    def open_page(path: str, *, allow: str | None = None, **options: Any) -> Page:
        context = new_context(browser, **options)
        contexts.append(context)
        page = context.new_page()
        faults.allowed = allow
        faults.listen(page)
        page.goto(f"{lab.stack.base_url}{PREFIX}/auth/login?next=")  # of the simple auth manager: everybody is an admin
        page.goto(f"{lab.stack.base_url}{PREFIX}/{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults.found == []


def attempts_path(task_id: str, run: str = "stories", dag: str = DAG, map_index: str = "%7BMAP_INDEX%7D") -> str:
    return f"interruptible/attempts?dag_id={dag}&run_id={run}&task_id={task_id}&map_index={map_index}"


def wait_until_shown(page: Page | FrameLocator) -> None:
    expect(page.locator("main[aria-busy=false]")).to_be_attached()


def picture(page: Page, name: str, **options: Any) -> None:
    """Keep a picture if somebody asked for them: PICTURES names the folder."""
    if folder := os.environ.get("PICTURES"):
        page.mouse.move(0, 0)
        page.screenshot(path=Path(folder) / f"{name}.png", **options)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("task_id", COUNTS)
def test_attempts_are_shown(visit: Open, task_id: str, theme: str) -> None:
    run, dag = ("live", "spot_live") if task_id == "waiting" else ("stories", DAG)
    page = visit(attempts_path(task_id, run, dag), theme=theme)
    wait_until_shown(page)

    count = COUNTS[task_id]
    expect(page.locator("#content tbody tr")).to_have_count(count)
    expect(page.locator(".timeline .bar")).to_have_count(count)
    expect(page.locator("html")).to_have_class(re.compile("dark") if theme == "dark" else re.compile("^$"))
    expect(page.locator("#summary")).not_to_be_empty()
    assert page.locator(".tile .figure").count() == 2, "both budgets"
    if count == 0:
        expect(page.get_by_text("No attempt has started yet.")).to_be_visible()
    check_accessible(page)
    for width in (360, 800, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width

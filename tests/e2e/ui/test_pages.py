"""The pages, in a real Chromium, in a real Airflow, which is served below a path as behind many a proxy."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from e2e.ui import people
from e2e.ui.browser import Faults, chromium, new_context
from e2e.ui.seeding import DAG, ERROR, SCRIPT, TOLD, seed
from playwright.sync_api import expect
from waiting import PATIENCE

from airflow_interruptible.core.ending import Ending
from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from e2e.conftest import StartLab
    from playwright.sync_api import Browser, FrameLocator, Page

    from airflow_interruptible.testing import DagRun, SpotLab

    Open = Callable[..., Page]

pytestmark = pytest.mark.e2e

PREFIX = "/teams/airflow"
COUNTS = {"waiting": 0, "one": 1, "twelve": 12, "two_hundred": 200}
FRAME = "iframe"
TAB = "dags/spot_stories/runs/stories/tasks/twelve/plugin/interruptible-attempts"
EVIDENCE = TOLD[Ending.INTERRUPTION][1]
OUTCOMES = "#content tbody .badge"
CATCH_A_CLICK = """() => document.addEventListener("click", (event) => {
    event.preventDefault();  // the tests ask no other host
    globalThis.followed = [event.target.href, event.target.target, event.target.rel];
}, { capture: true, once: true })"""


@pytest.fixture(scope="module")
def lab(start_lab: StartLab, tmp_path_factory: pytest.TempPathFactory) -> SpotLab:
    """A stack below a path, with few people."""
    options = people.settings(tmp_path_factory.mktemp("people"))
    options["config"]["interruptible"] = {"prices": json.dumps({"default": {"spot": 0.12, "on_demand": 0.38}})}
    lab = start_lab(Path(__file__).parent / "dags", base_path=PREFIX, **options)
    lab.client._token = people.token(lab.stack.base_url, "admin")
    return lab


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that ends the second try of the live task: what it was there for has been seen."""
    return tmp_path_factory.mktemp("live") / "seen"


@pytest.fixture(scope="module")
def live(lab: SpotLab, seen: Path) -> DagRun:
    """A run whose task is at work, and whose other task waits for it."""
    return lab.trigger("spot_live", run_id="live", conf={"seen": str(seen)})


@pytest.fixture(scope="module")
def stories(lab: SpotLab, live: DagRun) -> DagRun:
    """A run with the histories of ``seeding.py``; a run of a Dag that nobody annotated is there too."""
    run = lab.trigger(DAG, run_id="stories")
    others = [lab.trigger("plain_tasks", run_id="plain"), lab.trigger("spot_training", run_id="stories")]
    for each in (run, *others):
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

    def open_page(path: str, *, person: str | None = "admin", allow: str | None = None, **options: Any) -> Page:
        context = new_context(browser, **options)
        contexts.append(context)
        page = context.new_page()
        faults.allowed = allow
        faults.listen(page)
        if person is not None:
            proof = people.token(lab.stack.base_url, person)
            context.add_cookies([{"name": "_token", "value": proof, "url": f"{lab.stack.base_url}/"}])
        page.goto(f"{lab.stack.base_url}/{path}")
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


@pytest.mark.parametrize(("task_id", "theme"), [*((task_id, "light") for task_id in COUNTS), ("twelve", "dark")])
def test_attempts_are_shown(visit: Open, task_id: str, theme: str) -> None:
    run, dag = ("live", "spot_live") if task_id == "waiting" else ("stories", DAG)
    page = visit(attempts_path(task_id, run, dag), theme=theme)
    wait_until_shown(page)

    count = COUNTS[task_id]
    expect(page.locator("#content tbody tr")).to_have_count(min(count, 50))
    for shown in range(100, count + 1, 50):
        page.get_by_role("button", name=re.compile("^Show 50 more of")).click()
        expect(page.locator("#content tbody tr")).to_have_count(shown)
    expect(page.locator(".timeline .bar")).to_have_count(count)
    expect(page.locator("html")).to_have_class(re.compile("dark") if theme == "dark" else re.compile("^$"))
    expect(page.locator("#summary")).not_to_be_empty()
    assert page.locator(".tile .figure").count() == 2, "both budgets"
    if count == 0:
        expect(page.get_by_text("No attempt has started yet.")).to_be_visible()
    check_accessible(page)
    check_widths(page, 360, 800, 1600)


def test_from_every_attempt_one_click_leads_to_its_log(visit: Open) -> None:
    page = visit("dags/spot_stories/runs/stories/tasks/shards/mapped/1/plugin/interruptible-attempts")
    page.frame_locator(FRAME).get_by_role("link", name="Log of attempt 2").click()
    page.wait_for_url(re.compile(f"{PREFIX}/dags/spot_stories/runs/stories/tasks/shards/mapped/1/?\\?try_number=2"))


def test_a_sign_of_the_time_line_leads_to_its_row_whatever_is_filtered_by(visit: Open) -> None:
    page = visit(attempts_path("twelve"))
    wait_until_shown(page)
    page.get_by_role("button", name=re.compile("^Infrastructure")).click()
    expect(page.locator("#content tbody tr")).to_have_count(2)
    page.reload()  # it stands in the address
    expect(page.locator("#content tbody tr")).to_have_count(2)
    page.go_back()
    expect(page.locator("#content tbody tr")).to_have_count(12)
    page.go_forward()
    expect(page.locator("#content tbody tr")).to_have_count(2)
    page.locator(".timeline .sign").first.click()
    expect(page.locator("#attempt-1")).to_be_focused()


def test_an_engineer_whose_run_was_red_goes_from_the_run_to_the_error_and_the_log(visit: Open) -> None:
    page = visit("dags/spot_stories/runs/stories")
    page.get_by_role("link", name="Attempts").click()
    inside = page.frame_locator(FRAME)
    wait_until_shown(inside)
    expect(inside.locator("#summary")).to_contain_text(re.compile(r"\d+ interruptions hit \d of \d task instances"))
    inside.get_by_label("Show", exact=True).select_option("charged")
    wait_until(lambda: page.url, lambda url: "show=charged" in url, what="Airflow's own address", timeout=PATIENCE)
    inside.get_by_label("Task", exact=True).fill("twel")
    rows = inside.locator("#content tbody tr")
    expect(rows).to_have_count(1)
    page.reload()  # the address of Airflow's page holds it all
    expect(rows).to_have_count(1)
    picture(page, "run")
    rows.get_by_role("link").click()
    page.wait_for_url(re.compile("tasks/twelve/plugin/interruptible-attempts"))
    expect(inside.get_by_role("heading", name="What to do")).to_be_visible()
    expect(inside.locator("#attempt-3")).to_contain_text(ERROR)
    inside.get_by_role("link", name="Log of attempt 3").click()
    page.wait_for_url(re.compile(r"tasks/twelve/?\?try_number=3"))


def test_a_platform_engineer_finds_the_zone_that_is_bad_and_sends_the_link(visit: Open) -> None:
    page = visit("plugin/interruptions")
    inside = page.frame_locator(FRAME)
    wait_until_shown(inside)
    zones = inside.locator("section[aria-labelledby=by-zone]")
    zones.get_by_role("button", name="Per 100 spot h").click()
    rates = zones.locator("tbody td[data-label='Per 100 spot h'] .number").all_inner_texts()
    numbers = [float(rate.replace(",", "")) for rate in rates if rate[0].isdigit()]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) >= 3, "of every zone of the histories"
    worst = zones.locator("tbody tr").first.get_by_role("button")
    zone = worst.inner_text()
    worst.click()
    expect(zones.locator("tbody tr")).to_have_count(1)
    page.go_back()
    expect(inside.get_by_label("Zone", exact=True)).to_have_value("")
    zones.get_by_role("button", name=zone).click()
    wait_until(lambda: page.url, lambda url: f"zone={zone}" in url, what="Airflow's own address", timeout=PATIENCE)
    page.reload()  # whoever is sent the link sees the same
    expect(zones.locator("tbody tr")).to_have_count(1)
    inside.get_by_role("button", name="Reset").click()

    inside.get_by_label("Dag", exact=True).fill("TRAIN")
    expect(inside.locator("section[aria-labelledby=by-dag_id] tbody tr")).to_have_count(1)
    money = inside.locator(".estimate .figure").inner_text()
    inside.get_by_label("Cause", exact=True).select_option("infrastructure")
    expect(inside.locator("#list .badge").first).to_have_text("Infrastructure")
    wait_until_shown(inside)
    expect(inside.locator(".estimate .figure")).to_have_text(money)
    expect(inside.get_by_role("heading", name="Where the time to recover went")).to_be_visible()
    inside.get_by_label("Time", exact=True).select_option("90d")
    expect(inside.get_by_text("nothing is known of what was before")).to_be_visible()


def test_a_manager_sees_the_numbers_of_their_dag_and_nobody_elses(visit: Open, lab: SpotLab) -> None:
    api = f"{lab.stack.base_url}/interruptible/api"
    everybody = visit("plugin/interruptions").request
    page = visit("plugin/interruptions", person="manager", allow="status of 403")
    inside = page.frame_locator(FRAME)
    wait_until_shown(inside)

    week = urlencode({"start": (datetime.now(timezone.utc) - timedelta(days=7)).isoformat()})
    theirs = page.request.get(f"{api}/report?{week}").json()
    of_dag = everybody.get(f"{api}/report?{week}&dag_id={people.MANAGED_DAG}").json()
    of_all = everybody.get(f"{api}/report?{week}").json()
    for name in ("totals", "savings", "recovery", "by_zone", "by_task", "by_cause", "over_time"):
        assert theirs[name] == of_dag[name], name
    assert 0 < theirs["totals"]["attempts"] < of_all["totals"]["attempts"]
    assert [share["value"] for share in theirs["by_dag"]] == [people.MANAGED_DAG]
    listed = page.request.get(f"{api}/interruptions?{week}&limit=200").json()
    assert {item["dag_id"] for item in listed["items"]} == {people.MANAGED_DAG}
    assert listed["total"] == theirs["totals"]["interruptions"]

    expect(inside.locator(".totals .figure").first).to_have_text(str(theirs["totals"]["interruptions"]))
    expect(inside.locator("#known-dag_id option")).to_have_count(1)
    assert DAG not in inside.locator("html").inner_html(), "no name of another Dag, in suggestions neither"
    inside.get_by_label("Dag", exact=True).fill("stories")
    expect(inside.get_by_text("No attempt of an interruptible task ended in this time")).to_be_visible()
    for path in (f"report?dag_id={DAG}", f"interruptions?dag_id={DAG}", f"run?dag_id={DAG}&run_id=stories"):
        assert page.request.get(f"{api}/{path}").status == 403
    page.goto(f"{lab.stack.base_url}/dags/{people.MANAGED_DAG}/plugin/interruptible-dag")
    wait_until_shown(inside)
    expect(inside.locator(".totals .figure").first).to_have_text(str(theirs["totals"]["interruptions"]))


def test_a_mapped_task_says_which_of_its_indexes_were_hit(visit: Open) -> None:
    page = visit(attempts_path("shards"), allow="status of 404")
    page.get_by_role("link", name=re.compile("its indexes are told here")).click()
    page.wait_for_url(re.compile("runs/stories/plugin/interruptible-run"))
    rows = page.frame_locator(FRAME).locator("#content tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("shards [1]")


@pytest.mark.parametrize("path", ["dags/spot_stories", "dags/spot_stories/tasks/twelve"])
def test_the_filters_of_a_tab_stand_in_airflows_address_too(visit: Open, path: str) -> None:
    page = visit(f"{path}/plugin/interruptible-{'task' if 'tasks' in path else 'dag'}")
    inside = page.frame_locator(FRAME)
    wait_until_shown(inside)
    inside.get_by_label("Time", exact=True).select_option("30d")
    wait_until(lambda: page.url, lambda url: "range=30d" in url, what="Airflow's own address", timeout=PATIENCE)
    page.reload()
    expect(inside.get_by_label("Time", exact=True)).to_have_value("30d")


@pytest.mark.parametrize("map_index", [0, 1, 2])
def test_each_mapped_instance_has_its_own_attempts(visit: Open, map_index: int) -> None:
    page = visit(attempts_path("shards", map_index=str(map_index)))
    wait_until_shown(page)

    expect(page.locator(OUTCOMES)).to_have_text(
        [
            ["Success", "Spot interruption"],
            ["Success", "Application error", "Spot interruption", "Spot interruption"],
            ["Success"],
        ][map_index]
    )


def test_an_attempt_says_everything_that_is_known(visit: Open) -> None:
    page = visit(attempts_path("twelve"), zone="Asia/Tokyo")
    wait_until_shown(page)
    answer = page.request.get(page.url.replace("/attempts?", "/api/attempts?").replace("%7BMAP_INDEX%7D", "-1")).json()
    second = answer["attempts"][1]
    row = page.locator("#attempt-2")

    assert page.locator("#summary").text_content() == answer["summary"]
    assert f"({EVIDENCE}); forgiven: system retry 2 of 7; next on spot" in second["reason"]
    expect(row).to_contain_text(EVIDENCE)
    expect(row).not_to_contain_text("system retry 2 of 7")  # as the columns tell
    for place in ("node", "instance_id", "instance_type", "zone"):
        expect(row).to_contain_text(second["where"][place])
    expect(row.locator(".capacity")).to_have_text("Spot")
    expect(row).to_contain_text("System retries, forgiven")
    expect(row).to_contain_text(f"{second['user_retries_left']} user, {second['system_retries_left']} system left")
    expect(row.locator("time").first).to_have_text(in_zone(page, second["start"], "Asia/Tokyo"))
    rule = row.get_by_role("link", name="ec2/imds-notice")
    assert rule.get_attribute("href") == second["rule_source"]
    assert "noopener" in (rule.get_attribute("rel") or "")
    lanes = page.locator(".timeline .bar").evaluate_all("bars => bars.map(bar => bar.classList[1])")
    assert lanes == [attempt["capacity"] for attempt in answer["attempts"]]


def in_zone(page: Page, moment: str, zone: str) -> str:
    """The time as Airflow writes it, worked out by somebody else than the page."""
    return page.evaluate(
        "([moment, timeZone]) => new Date(moment).toLocaleString('sv-SE', { timeZone })", [moment, zone]
    )


def test_a_task_that_nobody_annotated_is_told_how(visit: Open) -> None:
    page = visit(attempts_path("plain", "plain", "plain_tasks"))
    wait_until_shown(page)

    expect(page.get_by_role("heading", name="How to make it interruptible")).to_be_visible()
    expect(page.locator(OUTCOMES)).to_have_text(["Success"])
    expect(page.locator(".capacity")).to_have_count(0)


def test_text_from_outside_stays_text(visit: Open) -> None:
    page = visit(attempts_path("hostile"))
    wait_until_shown(page)
    expect(page.locator("#attempt-1 .reason").last).to_have_text(SCRIPT)
    assert page.locator("main script, main img").count() == 0

    page.goto(
        page.url.partition("/interruptible/")[0] + "/interruptible/interruptions?" + urlencode({"dag_id": SCRIPT})
    )
    wait_until_shown(page)
    expect(page.get_by_label("Dag", exact=True)).to_have_value(SCRIPT)
    assert page.title() == "Interruptions"


def test_the_tabs_are_reached_by_clicking_in_airflow(visit: Open) -> None:
    page = visit("dags/spot_stories/runs/stories/tasks/twelve")
    page.get_by_role("link", name="Attempts").click()
    expect(page.frame_locator(FRAME).locator("#content tbody tr")).to_have_count(12)
    picture(page, "attempts")
    page.evaluate(CATCH_A_CLICK)
    page.frame_locator(FRAME).get_by_role("link", name="ec2/imds-notice").first.click()
    href, target, rel = page.evaluate("globalThis.followed")
    assert href.startswith("https://docs.aws.amazon.com/")
    assert (target, rel) == ("_blank", "noopener noreferrer"), (
        "the frame may open nothing, Airflow's page does it for it"
    )

    page.get_by_role("link", name="Interruptions").click()
    inside = page.frame_locator(FRAME)
    expect(inside.get_by_role("heading", name="Interruptions", exact=True)).to_be_visible()
    wait_until_shown(inside)
    expect(inside.locator(".stack").first).to_be_visible()
    picture(page, "interruptions")

    for path, absent in (("dags/spot_stories", ["Dag"]), ("dags/spot_stories/tasks/twelve", ["Dag", "Task"])):
        page.goto(f"{page.url.partition(PREFIX)[0]}{PREFIX}/{path}")
        links = page.get_by_role("link", name="Interruptions")
        expect(links).to_have_count(2)  # Airflow's own menu has the page of all Dags
        links.last.click()
        wait_until_shown(inside)
        for label in absent:
            expect(inside.get_by_label(label, exact=True)).to_have_count(0)
        expect(inside.locator("#list tbody tr").first).to_be_visible()


def test_the_page_follows_airflows_theme_and_time_zone_while_it_is_open(visit: Open) -> None:
    page = visit(TAB)
    inside = page.frame_locator(FRAME)
    wait_until_shown(inside)
    root, time = inside.locator("html"), inside.locator("tbody time").first
    expect(root).not_to_have_class(re.compile("dark"))
    utc = time.text_content()

    page.get_by_role("button", name="User").click()
    page.get_by_role("menuitem", name=re.compile("Dark|Appearance")).first.click()
    page.get_by_role("menuitemradio", name="Dark").or_(page.get_by_role("menuitem", name="Dark Mode")).first.click()
    expect(root).to_have_class("dark")
    background = "getComputedStyle(document.body).backgroundColor"
    around = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--chakra-colors-bg')")
    assert inside.locator("body").evaluate(f"() => {background}") == around

    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    picture(page, "attempts-dark")

    page.evaluate("localStorage.setItem('timezone', JSON.stringify('Asia/Tokyo'))")
    expect(time).not_to_have_text(utc or "")
    expect(inside.get_by_text("times in Asia/Tokyo")).to_be_visible()


def test_a_reclaim_shows_while_the_page_is_open(visit: Open, lab: SpotLab, live: DagRun, seen: Path) -> None:
    page = visit("dags/spot_live/runs/live/tasks/reclaimed/plugin/interruptible-attempts")
    inside = page.frame_locator(FRAME)
    expect(inside.locator(OUTCOMES)).to_have_text(["Running"])
    summary = inside.locator("#summary")
    before = summary.text_content()
    kept = inside.locator("#content").element_handle()

    lab.reclaim(live, "reclaimed", grace=30)

    expect(inside.locator(OUTCOMES)).to_have_text(["Running", "Spot interruption"], timeout=120_000)
    picture(page, "live")
    expect(summary).not_to_have_text(before or "")
    assert summary.get_attribute("aria-live") == "polite"
    seen.touch()
    expect(inside.locator(OUTCOMES)).to_have_text(["Success", "Spot interruption"], timeout=120_000)
    assert kept is not None
    assert kept.is_visible(), "the page was never loaded anew"
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/api/attempts" in request.url else None)
    page.wait_for_timeout(4000)
    assert asked == [], "what is finished is not asked for again"


def test_filters_stand_in_the_address_and_pages_turn(visit: Open) -> None:
    page = visit("plugin/interruptions")
    inside = page.frame_locator(FRAME)
    wait_until_shown(inside)
    heading = inside.locator("#list-heading")

    def count() -> int:
        """How many there are; other tests' tasks may still be adding theirs."""
        return int((heading.text_content() or "").split()[0])

    every = count()
    assert every > 100, "the history of two hundred attempts is there"

    inside.get_by_role("button", name="Older").click()
    second = re.compile(r"51 to 100 of \d{3}")
    expect(inside.locator(".pager")).to_contain_text(second)
    page.reload()
    expect(inside.locator(".pager")).to_contain_text(second)
    inside.get_by_label("Zone", exact=True).fill("eu-west-1b")
    wait_until(count, lambda shown: shown < every, what="fewer interruptions", timeout=PATIENCE)
    wait_until(lambda: page.url, lambda url: "zone=eu-west-1b" in url, what="Airflow's own address", timeout=PATIENCE)
    inside.get_by_role("button", name="Infrastructure").click()
    expect(inside.get_by_label("Cause", exact=True)).to_have_value("infrastructure")
    wait_until_shown(inside)
    few = heading.text_content()

    page.reload()  # the address of Airflow's page holds it all
    expect(heading).to_have_text(few or "")
    expect(inside.get_by_label("Zone", exact=True)).to_have_value("eu-west-1b")
    expect(inside.locator("#list .badge").first).to_have_text("Infrastructure")
    inside.get_by_role("button", name="Reset").click()
    wait_until(count, lambda shown: shown >= every, what="all interruptions", timeout=PATIENCE)
    assert "zone" not in parse_qs(urlsplit(page.url).query)


def test_a_range_is_meant_in_the_chosen_time_zone(visit: Open) -> None:
    asked = []
    page = visit("interruptible/interruptions", zone="Asia/Tokyo")
    wait_until_shown(page)
    page.on("request", lambda request: asked.append(request.url) if "/api/report" in request.url else None)
    page.get_by_label("Time", exact=True).select_option("custom")
    page.get_by_label("From (Asia/Tokyo)").fill("2026-03-01T09:00")
    page.get_by_label("To (Asia/Tokyo)").fill("2026-03-02T09:00")
    wait_until_shown(page)
    query = parse_qs(urlsplit(asked[-1]).query)
    assert (query["start"], query["end"]) == (["2026-03-01T00:00:00.000Z"], ["2026-03-02T00:00:00.000Z"])
    expect(page.get_by_text("No attempt of an interruptible task ended in this time")).to_be_visible()


def test_the_keyboard_alone_leads_from_an_interruption_to_its_task(visit: Open) -> None:
    page = visit("plugin/interruptions")
    inside = page.frame_locator(FRAME)
    wait_until_shown(inside)
    inside.get_by_label("Time", exact=True).focus()
    seen = []
    for _ in range(250):
        page.keyboard.press("Tab")
        name, outline, leads_on = inside.locator(":focus").evaluate(
            "node => [node.name || node.textContent, getComputedStyle(node).outlineStyle, node.target === '_top']"
        )
        seen.append(name)
        assert outline != "none", f"nobody sees that {name} has the focus"
        if leads_on:
            break
    assert seen[:6] == ["dag_id", "task_id", "zone", "instance_type", "cause", "capacity"]
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"{PREFIX}/dags/spot_\\w+/runs/\\w+/tasks/.+/plugin/interruptible-attempts"))
    expect(page.frame_locator(FRAME).locator("#content tbody tr").first).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_report_is_shown(visit: Open, theme: str) -> None:
    page = visit("interruptible/interruptions", theme=theme)
    wait_until_shown(page)
    answer = page.request.get(page.url.replace("/interruptions", "/api/report")).json()

    figures = page.locator(".totals .figure")
    assert figures.first.text_content() == str(answer["totals"]["interruptions"])
    parts = page.locator("section[aria-labelledby=recovery] tbody tr")
    expect(parts).to_have_count(4)
    assert None not in answer["recovery"]["parts"].values(), "the histories have rows of all tries"
    page.get_by_text("Show the numbers").click()
    rows = page.locator("details tbody tr")
    expect(rows).to_have_count(len(answer["over_time"]))
    check_accessible(page)
    check_widths(page, 360, 1600)


def test_nothing_leaves_its_card_in_airflows_own_frame(visit: Open) -> None:
    page = visit("plugin/interruptions")  # themes and fonts: test_layout.py
    wait_until_shown(page.frame_locator(FRAME))
    check_widths(page, 360, 768, 1280, 1600)
    page.goto(f"{page.url.partition(PREFIX)[0]}{PREFIX}/{TAB}")
    wait_until_shown(page.frame_locator(FRAME))
    check_widths(page, 1280, 1600)  # on a phone, Airflow shows a task's grid in place of its tabs


REFUSALS = {
    401: "You are signed out",
    403: "You may not see this",
    404: "There is nothing here",
    500: "Something went wrong in Airflow",
}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_is_told_in_words(visit: Open, status: int) -> None:
    page = visit(attempts_path("one"), allow=f"status of {status}")
    page.route("**/interruptible/api/**", lambda route: route.fulfill(status=status, body="<b>no</b>"))
    before = page.url.partition("attempts?")[0]
    for path in (page.url, f"{before}interruptions", f"{before}run?scope=run&dag_id={DAG}&run_id=stories"):
        page.goto(path)
        expect(page.get_by_role("alert")).to_contain_text(REFUSALS[status])


def test_an_api_server_that_comes_back_is_asked_again(visit: Open) -> None:
    page = visit(attempts_path("one"), allow="ERR_FAILED")
    wait_until_shown(page)
    page.route("**/interruptible/api/**", lambda route: route.abort())
    page.clock.install()
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("Airflow does not answer")
    page.unroute_all(behavior="wait")
    page.clock.fast_forward(11_000)
    expect(page.locator(OUTCOMES)).to_have_text(["Success"])
    expect(page.get_by_role("alert")).to_have_count(0)


def test_figures_grow_while_older_attempts_are_read(visit: Open) -> None:
    page = visit(f"interruptible/interruptions?dag_id={DAG}")  # what runs has hours that grow by themselves
    wait_until_shown(page)
    whole = page.locator(".totals").inner_text()
    page.route("**/api/report*", lambda route: route.fulfill(json={**route.fetch().json(), "complete": False}))
    page.reload()
    older = page.get_by_text("Older attempts are still being read")
    expect(older).to_be_visible()
    expect(page.locator("main[aria-busy=true]")).to_be_attached()
    page.unroute_all(behavior="wait")  # one that is under way would be answered twice
    wait_until_shown(page)
    expect(older).to_have_count(0)
    assert page.locator(".totals").inner_text() == whole


def test_a_stranger_is_led_to_the_log_in_and_back(visit: Open, lab: SpotLab) -> None:
    address = f"{lab.stack.base_url}/{attempts_path('one')}"
    for path in (address, address.replace("/attempts", "/api/attempts").replace("%7BMAP_INDEX%7D", "-1")):
        assert httpx.get(path, trust_env=False, timeout=PATIENCE).status_code == 401
    page = visit(attempts_path("one"), person=None, allow="status of 401")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#content tbody tr")).to_have_count(1)


def test_a_guest_sees_the_dag_that_is_open_to_them_and_none_other(visit: Open, lab: SpotLab) -> None:
    page = visit(attempts_path("plain", "plain", people.OPEN_DAG), person="guest", allow="status of 403")
    expect(page.locator(OUTCOMES)).to_have_text(["Success"])

    page.goto(f"{lab.stack.base_url}/{attempts_path('twelve')}")
    expect(page.get_by_role("alert")).to_contain_text("You may not see this")
    expect(page.locator("#content")).to_be_empty()
    page.goto(f"{lab.stack.base_url}/interruptible/interruptions?dag_id={DAG}")
    expect(page.get_by_role("alert")).to_contain_text("You may not see this")
    page.goto(f"{lab.stack.base_url}/interruptible/interruptions")
    wait_until_shown(page)
    expect(page.get_by_role("heading", name="How to make it interruptible")).to_be_visible()
    assert DAG not in page.content()
    for path in (
        f"attempts?dag_id={DAG}&run_id=stories&task_id=twelve",
        f"interruptions?dag_id={DAG}",
        f"run?dag_id={DAG}&run_id=stories",
    ):
        assert page.request.get(f"{lab.stack.base_url}/interruptible/api/{path}").status == 403


def test_files_are_kept_by_the_browser_until_a_release_changes_them(visit: Open, lab: SpotLab) -> None:
    page = visit(attempts_path("one"))
    source = page.locator("script[src*=theme]").get_attribute("src")
    address = f"{lab.stack.base_url}/interruptible/{source}"
    answer = page.request.get(address)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert page.request.get(address, headers={"If-None-Match": answer.headers["etag"]}).status == 304
    stale = page.request.get(re.sub(r"static/\w+/", "static/another/", address))
    assert (stale.status, stale.headers["cache-control"]) == (200, "no-cache")
    assert page.request.get(address.replace("theme.js", "..%2Fpages.py")).status == 404


def check_widths(page: Page, *widths: int) -> None:
    """Nothing sticks out, of the page or of its card: ``layout.js`` says what, one line a fault."""
    script = (Path(__file__).parent / "layout.js").read_text()
    shown = page.frames[-1]  # ours, whether Airflow's page is around it or not
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        wait_until(lambda: shown.evaluate(script), lambda faults: faults == [], what=f"a fit at {width}", timeout=60)


def check_accessible(page: Page) -> None:
    """What an axe would look for first; ``accessible.js`` says it, one line a fault."""
    script = (Path(__file__).parent / "accessible.js").read_text()
    assert page.evaluate(script) == []

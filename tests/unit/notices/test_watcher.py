# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from waiting import until

from airflow_interruptible.notices import Notice, NoticeKind, Watcher, default_sources
from airflow_interruptible.notices import watcher as watcher_module
from airflow_interruptible.notices.gce import LONG_POLL_SECONDS
from airflow_interruptible.notices.http import Failure, NoAnswer
from airflow_interruptible.testing.metadata import FakeAzureMetadata, FakeEC2Metadata, FakeGCEMetadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDPOINTS = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "GCE_METADATA_HOST", "AIRFLOW_INTERRUPTIBLE_AZURE_METADATA_ENDPOINT")


class FakeSource:
    """A source without a network."""

    provider = "fake"

    def __init__(self, *probes: bool | Exception) -> None:
        self.probes = list(probes) or [True]
        self.probed = 0
        self.cancelled = 0
        self.ready = threading.Event()
        self.error: Exception | None = None
        self.placed = 0
        self.where: dict[str, str] | Exception = {}

    def probe(self) -> bool:
        self.probed += 1
        answer = self.probes.pop(0) if len(self.probes) > 1 else self.probes[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def place(self) -> dict[str, str]:
        self.placed += 1
        if isinstance(self.where, Exception):
            raise self.where
        return self.where

    def wait(self, stop: threading.Event) -> Notice | None:
        while not stop.is_set():
            if self.ready.wait(0.01):
                if self.error:
                    raise self.error
                return Notice("fake", NoticeKind.PREEMPT, None, datetime.now(timezone.utc))
        return None

    def cancel(self) -> None:
        self.cancelled += 1


@pytest.fixture
def nowhere(closed_port: int) -> dict[str, str]:
    """An environment in which no metadata service answers."""
    host = f"127.0.0.1:{closed_port}"
    return dict(zip(ENDPOINTS, (f"http://{host}", host, f"http://{host}"), strict=True))


@pytest.fixture
def told() -> list[Notice]:
    return []


@pytest.fixture
def run(told: list[Notice]) -> Iterator[Callable[..., Watcher]]:
    with ExitStack() as stack:
        yield lambda *sources: stack.enter_context(Watcher(sources, told.append))


@pytest.mark.parametrize("fake_type", [FakeEC2Metadata, FakeGCEMetadata, FakeAzureMetadata])
def test_the_one_service_that_answers_is_watched_over_real_http(fake_type, nowhere, run, told) -> None:
    with fake_type() as fake:
        fake.interrupt()
        watcher = run(*default_sources({**nowhere, **fake.env}))
        until(lambda: told)
        assert watcher.join(60)
        assert len(told) == 1
        assert told[0].deadline is not None
        until(lambda: not watcher.active)


@pytest.mark.parametrize("fake_type", [FakeEC2Metadata, FakeGCEMetadata, FakeAzureMetadata])
def test_an_on_demand_machine_is_probed_once_and_left_alone(fake_type, nowhere, run, told, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with fake_type(spot=False) as fake:
        watcher = run(*default_sources({**nowhere, **fake.env}))
        assert watcher.join(60)
        assert 1 <= len(fake.requests) <= 2
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


def test_where_nothing_answers_the_threads_end_at_once_and_say_so_at_debug_only(nowhere, run, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    watcher = run(*default_sources(nowhere))
    assert watcher.join(60)
    assert not watcher.active
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    assert len(caplog.records) == 3


def test_where_something_swallows_every_request_the_threads_end_soon(run) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        environ = dict(zip(ENDPOINTS, (f"http://{host}", host, f"http://{host}"), strict=True))
        watcher = run(*default_sources(environ))
        assert watcher.join(60)


def test_starting_does_not_wait(run) -> None:
    """The answer of the last source comes only once the watcher has started."""
    started = threading.Event()

    class Slow(FakeSource):
        def probe(self) -> bool:
            waited.append(started.wait(60))
            return False

    waited: list[bool] = []
    watcher = run(*[Slow() for _ in range(3)])
    started.set()
    assert watcher.join(60)
    assert waited == [True] * 3


def test_stop_is_prompt_and_nothing_is_told_after_it(nowhere, told) -> None:
    with FakeGCEMetadata() as fake:
        watcher = Watcher(default_sources({**nowhere, **fake.env}), told.append)
        watcher.start()
        until(lambda: fake.requests and "wait_for_change" in fake.requests[-1].query)
        began = time.monotonic()
        watcher.stop()
        assert time.monotonic() - began < LONG_POLL_SECONDS / 2
        fake.interrupt()
        assert watcher.join(60)
        assert told == []


def test_two_sources_tell_once(run, told) -> None:
    for _ in range(20):
        told.clear()
        sources = [FakeSource() for _ in range(4)]
        watcher = run(*sources)
        for source in sources:
            source.ready.set()
        assert watcher.join(60)
        assert len(told) == 1


def test_a_notice_ends_the_other_sources(run, told) -> None:
    first, other = FakeSource(), FakeSource()
    watcher = run(first, other)
    first.ready.set()
    assert watcher.join(60)
    assert other.cancelled == 1
    assert [notice.provider for notice in told] == ["fake"]


def test_stop_does_not_wait_for_a_hanging_on_notice() -> None:
    release, began = threading.Event(), threading.Event()

    def hang(notice: Notice) -> None:
        began.set()
        release.wait(10)

    source = FakeSource()
    watcher = Watcher([source], hang)
    watcher.start()
    source.ready.set()
    assert began.wait(5)
    watcher.stop()
    assert watcher.active
    release.set()
    assert watcher.join(60)


def test_on_notice_may_stop_and_join_the_watcher() -> None:
    joined: list[bool] = []
    source = FakeSource()

    def on_notice(notice: Notice) -> None:
        watcher.stop()
        joined.append(watcher.join(60))

    watcher = Watcher([source], on_notice)
    watcher.start()
    source.ready.set()
    until(lambda: joined == [True])


def test_what_on_notice_raises_is_logged_and_goes_no_further(caplog) -> None:
    def broken(notice: Notice) -> None:
        raise RuntimeError("the author's fault")

    source = FakeSource()
    watcher = Watcher([source], broken)
    watcher.start()
    source.ready.set()
    assert watcher.join(60)
    assert "the author's fault" in caplog.text


@pytest.mark.parametrize("error", [RuntimeError("sEcReT"), OSError("sEcReT"), NoAnswer("GET /x", Failure.SILENT)])
def test_a_source_that_breaks_costs_one_warning_without_its_text(run, told, caplog, error) -> None:
    source = FakeSource()
    source.error = error
    watcher = run(source)
    source.ready.set()
    assert watcher.join(60)
    assert told == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "sEcReT" not in caplog.text


PASSING = (Failure.BUSY, Failure.SILENT)


@pytest.mark.parametrize("failure", PASSING)
def test_a_service_that_is_ailing_at_first_is_probed_again(run, told, monkeypatch, failure) -> None:
    monkeypatch.setattr(watcher_module, "PROBE_PAUSE_SECONDS", 0.01)
    ailing = NoAnswer("GET /x", failure)
    source = FakeSource(ailing, ailing, True)
    run(source)
    source.ready.set()
    until(lambda: told)
    assert source.probed == 3


@pytest.mark.parametrize("failure", [failure for failure in Failure if failure not in PASSING])
def test_a_service_that_is_not_there_is_probed_once(run, failure) -> None:
    source = FakeSource(NoAnswer("GET /x", failure))
    assert run(source).join(60)
    assert source.probed == 1


def test_probing_gives_up(run, monkeypatch) -> None:
    monkeypatch.setattr(watcher_module, "PROBE_PAUSE_SECONDS", 0.01)
    source = FakeSource(NoAnswer("GET /x", Failure.BUSY))
    assert run(source).join(60)
    assert source.probed == watcher_module.PROBES


def test_start_twice_is_once_and_after_stop_is_never(told) -> None:
    source = FakeSource()
    watcher = Watcher([source], told.append)
    watcher.start()
    watcher.start()
    watcher.stop()
    assert watcher.join(60)
    assert source.probed <= 1
    late = Watcher([source], told.append)
    late.stop()
    late.start()
    assert not late.active


def test_no_thread_to_be_had_costs_a_warning(monkeypatch, caplog, told) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    watcher = Watcher([FakeSource()], told.append)
    watcher.start()
    watcher.stop()
    assert "can't start new thread" in caplog.text


def test_the_threads_do_not_keep_the_process_alive() -> None:
    with FakeGCEMetadata() as fake:
        script = (
            "import os, time\n"
            "from airflow_interruptible.notices import Watcher\n"
            "from airflow_interruptible.notices.gce import GceSource\n"
            "Watcher([GceSource(os.environ['GCE_METADATA_HOST'])], print).start()\n"
            "time.sleep(0.5)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, **fake.env}, timeout=10, capture_output=True, check=True
        )
        assert fake.count("preempted") >= 1
        assert done.stderr == b""


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_stop_in_a_forked_child_leaves_the_parents_watch_alone(nowhere, run, told) -> None:
    with FakeGCEMetadata() as fake:
        watcher = run(*default_sources({**nowhere, **fake.env}))
        until(lambda: fake.requests and "wait_for_change" in fake.requests[-1].query)
        child = os.fork()
        if child == 0:
            watcher.stop()
            os._exit(3 if watcher.active else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        seen = len(fake.requests)
        fake.interrupt()
        until(lambda: told)
        assert len(fake.requests) == seen, "the parent's connection was cut"


def test_a_notice_can_end_the_main_thread_by_a_signal() -> None:
    class Interrupted(BaseException):
        pass

    def raise_it(number: int, frame: object) -> None:
        watcher.stop()
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, raise_it)
    source = FakeSource()
    watcher = Watcher([source], lambda notice: os.kill(os.getpid(), signal.SIGUSR1))

    def attempt() -> None:
        with watcher:
            source.ready.set()
            time.sleep(5)

    try:
        with pytest.raises(Interrupted):
            attempt()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert watcher.join(60)


def test_default_sources_are_the_three_clouds_and_can_be_switched_off(nowhere, caplog) -> None:
    assert [source.provider for source in default_sources(nowhere)] == ["ec2", "gce", "azure"]
    off = {"AWS_EC2_METADATA_DISABLED": "true", "NO_GCE_CHECK": "true"}
    assert [source.provider for source in default_sources({**nowhere, **off})] == ["azure"]
    wrong = {**nowhere, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "https://user:sEcReT@h"}
    assert [source.provider for source in default_sources(wrong)] == ["gce", "azure"]
    assert "ec2" in caplog.text
    assert "sEcReT" not in caplog.text


def test_default_sources_read_the_process_environment(monkeypatch, nowhere) -> None:
    for name, value in nowhere.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert [source.provider for source in default_sources()] == ["gce", "azure"]


def test_importing_the_package_brings_no_airflow_and_no_sdk() -> None:
    script = (
        "import sys\n"
        "before = set(sys.modules)\n"  # namespace packages may be there from the start
        "import airflow_interruptible.notices, airflow_interruptible.testing.metadata\n"
        "sdks = {'airflow', 'boto3', 'botocore', 'google', 'azure', 'kubernetes', 'requests'}\n"
        "bad = sdks & (set(sys.modules) - before)\n"
        "sys.exit(f'imported {bad}' if bad else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=20)


# -- which machine it is


@pytest.mark.parametrize("found", [True, False], ids=["spot", "on demand"])
def test_a_service_that_is_there_says_once_which_machine_this_is(found, told) -> None:
    source, places = FakeSource(found), []
    source.where = {"zone": "eu-central-1a"}
    with Watcher([source], told.append, places.append):
        until(lambda: places)
    assert places == [{"zone": "eu-central-1a"}]
    assert source.placed == 1


def test_one_that_is_not_there_is_not_asked(told) -> None:
    source, places = FakeSource(NoAnswer("GET /", Failure.UNREACHABLE)), []
    with Watcher([source], told.append, places.append) as watcher:
        assert watcher.join(60)
    assert (source.placed, places) == (0, [])


def test_where_nobody_wants_to_know_nobody_is_asked(run, told) -> None:
    source = FakeSource()
    run(source)
    source.ready.set()
    until(lambda: told)
    assert source.placed == 0


@pytest.mark.parametrize("where", [{}, NoAnswer("GET /", Failure.SILENT)])
def test_a_machine_that_is_not_told_is_watched_all_the_same(where, told) -> None:
    source, places = FakeSource(), []
    source.where = where
    source.ready.set()
    with Watcher([source], told.append, places.append):
        until(lambda: told)
    assert places == []


def test_all_three_over_real_http(nowhere, told) -> None:
    for fake_type, expected in (
        (FakeEC2Metadata, {"zone": "eu-central-1a", "instance_type": "m7g.xlarge"}),
        (FakeGCEMetadata, {"zone": "europe-west3-a", "instance_type": "n2-standard-4"}),
        (FakeAzureMetadata, {"region": "westeurope", "zone": "westeurope-1", "instance_type": "Standard_D4s_v5"}),
    ):
        places: list[dict[str, str]] = []
        with fake_type() as fake, Watcher(default_sources({**nowhere, **fake.env}), told.append, places.append):
            until(lambda places=places: places)
            assert places == [expected]


def test_listening_leaves_the_author_s_random_numbers_alone() -> None:
    """Whoever seeds the process's generator gets the same numbers on every machine."""
    import random

    from airflow_interruptible.notices.source import poll

    stop, asked = threading.Event(), []

    def check() -> None:
        asked.append(True)
        if len(asked) == 20:
            stop.set()

    random.seed(42)
    state = random.getstate()
    poll(check, stop, interval=0.001)
    assert random.getstate() == state

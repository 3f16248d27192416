# SPDX-License-Identifier: Apache-2.0
"""The seam as the worker sees it: nothing loaded, nothing raised, nothing waited for."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible import remote
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.remote import hindsight, operators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SDKS = ("boto3", "botocore", "google.cloud", "googleapiclient", "kubernetes", "airflow.providers")


def test_importing_it_and_all_its_modules_loads_no_sdk() -> None:
    program = (
        "import sys; before = set(sys.modules)\n"
        "import pkgutil, importlib, airflow_interruptible.remote as remote\n"
        "remote.evidence_of, remote.here, remote.look_back\n"
        "for module in pkgutil.iter_modules(remote.__path__):\n"
        "    importlib.import_module(f'{remote.__name__}.{module.name}')\n"
        f"print([name for name in sys.modules if name not in before and name.startswith({SDKS!r})])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_where_am_i_costs_neither_the_rules_nor_airflow() -> None:
    program = (
        "import sys; from airflow_interruptible.remote import here; here()\n"
        "print([name for name in sys.modules if name == 'airflow' or name.startswith('airflow_interruptible.rules')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", {**operators.OPERATORS, **hindsight.PLACES}.values())
def test_every_name_in_the_tables_leads_to_a_function(path: str) -> None:
    assert callable(operators.load(path))


@pytest.mark.parametrize("name", operators.OPERATORS)
def test_every_operator_in_the_table_exists(name: str) -> None:
    module, _, operator = name.rpartition(".")
    assert isinstance(getattr(pytest.importorskip(module), operator), type)


class Operator:
    """Stands for an operator of a provider; the table knows it by its names only."""


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``described(function)``: what describes the job of :class:`Operator`, and looks at every pod."""

    def install(function: Callable[[Any], Iterator[Any]]) -> None:
        known = {f"{Operator.__module__}.{Operator.__qualname__}": "there"}
        monkeypatch.setattr(operators, "OPERATORS", known)
        monkeypatch.setattr(operators, "load", lambda path: function)
        monkeypatch.setattr(hindsight, "load", lambda path: function)

    return install


def answer(**payload: Any) -> Any:
    from airflow_interruptible.remote.answer import Answer

    return Answer("ecs", "DescribeTasks", payload)


def hang(_: Any) -> Iterator[Any]:
    threading.Event().wait(30)
    yield answer(stopCode="SpotInterruption")


def hang_after_the_first(_: Any) -> Iterator[Any]:
    yield answer(stopCode="SpotInterruption")
    yield from hang(None)


def fail(_: Any) -> Iterator[Any]:
    raise PermissionError("AccessDenied")
    yield


def leave(_: Any) -> Iterator[Any]:
    raise SystemExit(3)
    yield


def interrupt(_: Any) -> Iterator[Any]:
    raise KeyboardInterrupt
    yield


def rubbish(_: Any) -> Iterator[Any]:
    yield object()


@pytest.mark.parametrize("hostile", [fail, leave, interrupt, rubbish, lambda _: None, lambda _: 3])
def test_a_job_that_cannot_be_described_leaves_the_exception(
    hostile: Any, described: Any, raised: Any, judged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    uncaught: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", uncaught.append)
    described(hostile)
    error = raised("airflow.models", RuntimeError("Pod failed before containers started."))

    assert judged(remote.evidence_of(Operator(), error, {})).rule == "airflow/pod-never-ran"
    assert remote.look_back({"pod": "p"}, None) is None
    assert uncaught == []


def test_a_client_that_hangs_is_left_behind(described: Any) -> None:
    described(hang)
    begun = time.monotonic()

    evidence = operators.evidence_of(Operator(), ValueError("x"), {}, deadline_seconds=0.2)
    assert evidence is not None
    assert evidence.service == "airflow"
    assert remote.look_back({"pod": "p"}, CapacityType.SPOT, 0.2) is None
    assert time.monotonic() - begun < 20


def test_what_was_found_before_it_hung_counts(described: Any, judged: Any) -> None:
    described(hang_after_the_first)

    found = operators.evidence_of(Operator(), ValueError("x"), {}, deadline_seconds=0.5)
    assert judged(found).cause is Cause.SPOT_INTERRUPTION
    assert judged(remote.look_back({"pod": "p"}, None, 0.5)).cause is Cause.SPOT_INTERRUPTION


def test_a_subclass_counts_and_another_operator_does_not(described: Any, judged: Any) -> None:
    class Mine(Operator):
        pass

    def look(_: Any) -> Iterator[Any]:
        yield answer(stopCode="SpotInterruption")

    described(look)
    assert judged(remote.evidence_of(Mine(), ValueError("x"), {})).cause is Cause.SPOT_INTERRUPTION
    assert judged(remote.evidence_of(object(), ValueError("x"), {})).cause is Cause.UNKNOWN


@pytest.mark.parametrize("name", ["AirflowTaskTimeout", "TaskDeferralTimeout"])
def test_a_time_out_is_the_operators_own_whatever_it_did_to_its_job(name: str, described: Any, judged: Any) -> None:
    from airflow.sdk import exceptions

    def look(_: Any) -> Iterator[Any]:
        yield answer(stopCode="SpotInterruption")

    described(look)
    evidence = remote.evidence_of(Operator(), getattr(exceptions, name)("Timeout, PID: 1"), {})
    assert judged(evidence).cause is Cause.UNKNOWN


def test_what_this_package_ended_needs_no_evidence() -> None:
    assert remote.evidence_of(object(), Interrupted("signal"), {}) is None


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("task", [None, object(), 3, type])
@pytest.mark.parametrize("context", [{}, None, 3])
def test_hostile_exceptions_tasks_and_contexts_end_here(task: Any, context: Any) -> None:
    assert remote.evidence_of(task, Unspeakable(), context) is None


@pytest.mark.parametrize("where", [None, 3, {}, {"pod": None}, {"host": "h", "pid": 3}, {"pod": ["x"]}])
def test_hostile_places_end_here(where: Any) -> None:
    assert remote.look_back(where, None, since="not a time") is None


@pytest.mark.parametrize(
    "text", ["Host EC2 (instance i-0abc) terminated.", "preempted", "Pod failed before containers started."]
)
def test_user_code_full_of_spot_vocabulary_is_user_code(text: str, raised: Any, judged: Any) -> None:
    from airflow.sdk.exceptions import AirflowException

    answer = judged(remote.evidence_of(object(), raised("my_dag", AirflowException(text)), {}))
    assert answer.cause is Cause.UNKNOWN


def test_the_first_place_that_a_rule_understands_decides(monkeypatch: pytest.MonkeyPatch, judged: Any) -> None:
    asked = []
    told = {
        hindsight.PLACES["batch_job"]: [answer(stopCode="EssentialContainerExited")],
        hindsight.PLACES["pod"]: [answer(stopCode="TerminationNotice"), answer(stopCode="SpotInterruption")],
        hindsight.PLACES["vm"]: [answer(stopCode="UserInitiated")],
    }

    def load(path: str) -> Any:
        def look(_: Any) -> Iterator[Any]:
            asked.append(path)
            if path not in told:
                raise ImportError
            yield from told[path]

        return look

    monkeypatch.setattr(hindsight, "load", load)
    where = dict.fromkeys(hindsight.PLACES, "x")

    assert judged(remote.look_back(where, None)).cause is Cause.SPOT_INTERRUPTION
    assert asked == list(hindsight.PLACES.values())[:3]
    assert judged(remote.look_back({"batch_job": "x"}, None)).cause is Cause.UNKNOWN
    assert remote.look_back({"ecs_task": "x"}, None) is None

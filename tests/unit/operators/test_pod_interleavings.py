# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to pods, workers, triggerers and calls of the API, at whatever moment: the contract holds.

No two pods of one task are at work, none that ends is gone on with, every attempt is charged as the oracle says, the
last user attempt runs on demand, and no attempt that was interrupted succeeds.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from unit.operators.pod_api import Api, Fault
from unit.operators.pod_attempts import Attempt, Script, Task, on_the_clock_of
from unit.operators.pod_oracle import Oracle, first_of, found_no_room
from unit.operators.pod_world import NEVER, Fate
from unit.operators.test_pod import _outside_the_task_runner  # noqa: F401 - a fixture

from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.worker.attempt import RetriesExhausted

EXAMPLES = int(os.environ.get("INTERLEAVINGS", "25"))
"""How many are tried; ``INTERLEAVINGS=5000`` for a night."""

WHATS = ("exit", "oom", "success", "drain", "preempt", "shutdown", "abrupt", "pressure", "person")


def seconds(most: int) -> st.SearchStrategy[float]:
    return st.integers(0, most * 10).map(lambda tenths: tenths / 10)


def perhaps(most: int) -> st.SearchStrategy[float]:
    """A moment, in one case out of three."""
    return st.sampled_from((False, False, True)).flatmap(lambda does: seconds(most) if does else st.just(NEVER))


FATES = st.builds(
    Fate,
    first=st.sampled_from((*WHATS, "no room")),
    at=seconds(60) | st.just(190.0),
    then=st.none() | st.sampled_from(WHATS),
    after=seconds(5),
    takes=st.sampled_from((1.0, 29.0)) | seconds(30),
    code=st.sampled_from((0, 0, 1, 137, 143)),
    listed=st.just(2.0) | seconds(2),
    sidecar=st.just(0.0) | seconds(20),
)
FAULTS = st.lists(
    st.builds(
        Fault,
        call=st.sampled_from(("list", "read", "patch", "delete", "create", "node", "events", "create answer")),
        status=st.sampled_from((403, 409, 410, 429, 500, "hang")),
        at=seconds(40),
        length=st.sampled_from((1.0, 10.0, 500.0)),
    )
    | st.builds(Fault, call=st.sampled_from(("list", "create", "patch")), status=st.just(404), at=st.just(0.0),
                length=st.sampled_from((1.0, 500.0))),
    min_size=1,
    max_size=2,
).map(tuple)  # fmt: skip
"""A 404 is an answer, and would be a lie about what can be read."""

SCRIPTS = st.builds(
    Script,
    fate=FATES,
    told=perhaps(40),
    killed=perhaps(25),
    orphaned=perhaps(40),
    resumes=seconds(5),
    pause=st.sampled_from((0.0, 3.0)) | seconds(60),
    faults=st.sampled_from((False, False, True)).flatmap(lambda fails: FAULTS if fails else st.just(())),
)
ARGUMENTS = st.fixed_dictionaries(
    {
        "durable": st.sampled_from((True, True, False)),
        "deferrable": st.booleans(),
        "get_logs": st.just(False),
        "on_finish_action": st.sampled_from(("delete_pod", "keep_pod")),
        "retries": st.sampled_from((0, 1, 1, 2)),
        "system_retries": st.sampled_from((0, 0, 1, 3)),
    }
)
FIXED = {"kubernetes_conn_id": None, "log_events_on_startup": False, "log_pod_spec_on_failure": False}


@pytest.fixture(autouse=True)
def _nothing_is_listened_to(configure: Any) -> None:
    configure(notices="False")


@given(arguments=ARGUMENTS, scripts=st.lists(SCRIPTS, min_size=6, max_size=6))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=(Phase.reuse, Phase.generate, Phase.shrink),  # to explain a failure costs more than all the rest
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_contract_holds_at_whatever_moment(arguments: dict[str, Any], scripts: list[Script]) -> None:
    world = Api()
    run = Run(Oracle(arguments["retries"], arguments["system_retries"]))
    task = Task(world, {**FIXED, **arguments})
    with on_the_clock_of(world):
        for number, script in enumerate(scripts, start=1):
            attempt = Attempt(task, number, script)
            run.expect(script)
            attempt.run()
            if not run.goes_on_after(attempt):
                return
            world.sleep(script.pause)


class Run:
    """The attempts of one task instance, held against the oracle."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.silent: Attempt | None = None
        self.expected: set[Charge] = set()

    def expect(self, script: Script) -> None:
        """Another attempt is about to begin, and to judge the one before if nobody reported that."""
        if self.silent is not None:
            blind = any(fault.at < 30 for fault in script.faults)
            self.expected = self.oracle.charges_of_silence(self.silent, blind=blind)

    def goes_on_after(self, attempt: Attempt) -> bool:
        """Hold an attempt against the oracle; return whether another may follow."""
        assert not attempt.world.beside, "a pod was launched beside one that was at work"
        if self.silent is not None:
            self._count(attempt.worker.bench.ledger.records[self.silent.number].charge, self.expected, self.silent)
            self.silent = None
        if isinstance(attempt.error, RetriesExhausted):
            assert self.oracle.over
            return False
        self._is_where_it_belongs(attempt)
        if attempt.how == "success":
            assert first_of(attempt) == "success", f"no attempt that was interrupted succeeds: {attempt}"
            return False
        if "silent" in attempt.how:
            self.silent = attempt
            return self.oracle.attempts < self.oracle.user_retries + self.oracle.system_retries
        decision = attempt.judged()
        expected = self.oracle.charges(attempt)
        self._count(attempt.record.charge, expected, attempt)
        assert (decision.action is RetryAction.FAIL) is self.oracle.over
        return not self.oracle.over

    def _count(self, charge: Charge, expected: set[Charge], attempt: Attempt) -> None:
        assert charge in expected, f"{attempt} was charged to {charge}"
        no_room = found_no_room(attempt) and attempt.how == "raised"
        if attempt.world.failed:  # perhaps it failed of that
            no_room = no_room and attempt.record.cause is Cause.NO_CAPACITY
        self.oracle.count(charge, no_room=no_room)

    def _is_where_it_belongs(self, attempt: Attempt) -> None:
        life = attempt.life
        if life is None:
            return
        before = [what for at, what in life.marks if at < attempt.begun]
        if life.created >= attempt.begun:
            assert life.capacity == self.oracle.due, f"{attempt}: {self.oracle.due} was due"
        elif before[:1] != ["success"]:
            assert set(before) <= {"abrupt"}, f"no attach to what ends: {attempt}"  # which nobody can know of in time
            assert life.capacity == "on-demand" or not self.oracle.last, f"spot on the last one: {attempt}"
        if attempt.wrote_its_pod:
            assert attempt.record.capacity.value == life.capacity

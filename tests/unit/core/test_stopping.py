# SPDX-License-Identifier: Apache-2.0
"""The order of what follows when an attempt is told to stop, whatever comes between."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.core.stopping import AGAIN_SECONDS, Phase, Step, Stopping

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE = {"busy": False, "unwinding": False, "ended": True}


def told(deadline: float = 15.0, patience: float = 0.0) -> Stopping:
    stopping = Stopping()
    stopping.tell(deadline, patience)
    return stopping


def stopped(deadline: float = 15.0) -> Stopping:
    stopping = told(deadline)
    assert stopping.step(0, **IDLE) is Step.STOP_THE_WORK
    stopping.stopped()
    return stopping


def test_untold_nothing_is_done() -> None:
    stopping = Stopping()
    assert stopping.step(math.inf, **IDLE) is Step.GO_ON
    assert not stopping.told
    assert not stopping.leave()
    assert stopping.outside


def test_the_work_is_stopped_once_and_then_waited_for() -> None:
    stopping = told()
    assert stopping.step(0, **IDLE) is Step.STOP_THE_WORK
    assert stopping.step(0, **IDLE) is Step.GO_ON, "a second signal does not disturb it"
    stopping.stopped()
    assert stopping.step(1, busy=False, unwinding=False, ended=False) is Step.GO_ON
    assert stopping.step(2, busy=False, unwinding=False, ended=True) is Step.RAISE


def test_work_that_does_not_end_is_waited_for_until_the_deadline() -> None:
    stopping = stopped(deadline=15)
    assert stopping.step(14.9, busy=False, unwinding=False, ended=False) is Step.GO_ON
    assert stopping.step(15, busy=False, unwinding=False, ended=False) is Step.RAISE


def test_a_request_under_way_gets_its_response_first() -> None:
    stopping = told()
    assert stopping.step(0, busy=True, unwinding=False, ended=True) is Step.GO_ON
    assert stopping.step(0, **IDLE) is Step.STOP_THE_WORK
    stopping.stopped()
    assert stopping.step(0, busy=True, unwinding=False, ended=True) is Step.GO_ON


def test_it_is_raised_again_while_the_code_goes_on() -> None:
    stopping = stopped()
    assert stopping.step(0, **IDLE) is Step.RAISE
    assert stopping.step(AGAIN_SECONDS / 2, **IDLE) is Step.GO_ON
    assert stopping.step(AGAIN_SECONDS, **IDLE) is Step.RAISE


def test_clean_up_is_left_in_peace_until_the_deadline() -> None:
    stopping = stopped(deadline=15)
    assert stopping.step(0, **IDLE) is Step.RAISE
    assert stopping.step(14, busy=False, unwinding=True, ended=True) is Step.GO_ON
    assert stopping.step(15, busy=False, unwinding=True, ended=True) is Step.RAISE


def test_code_with_its_own_way_to_stop_has_its_patience() -> None:
    stopping = told(deadline=15, patience=15)
    assert stopping.step(14, **IDLE) is Step.GO_ON
    assert stopping.step(15, **IDLE) is Step.STOP_THE_WORK


def test_a_signal_after_a_notice_shortens_what_is_left() -> None:
    stopping = told(deadline=112, patience=112)
    stopping.tell(17, 2)
    assert (stopping.deadline, stopping.patience) == (17, 2)
    stopping.tell(100, 100)
    assert (stopping.deadline, stopping.patience) == (17, 2)


def test_code_that_leaves_by_itself_leaves_work_to_be_stopped() -> None:
    assert told(patience=15).leave()
    assert not stopped().leave()


def test_after_the_code_has_been_left_nothing_is_raised() -> None:
    stopping = stopped()
    stopping.leave()
    assert stopping.step(math.inf, **IDLE) is Step.GO_ON


@dataclass
class Play:
    """One attempt in which anything may happen at any time: what was done, and when."""

    stopping: Stopping = field(default_factory=Stopping)
    now: float = 0.0
    busy: bool = False
    ended: bool = False
    stops: list[float] = field(default_factory=list)
    raises: list[float] = field(default_factory=list)
    told_at: float | None = None
    left: bool = False

    def signal(self, patience: float) -> None:
        self.told_at = self.now if self.told_at is None else self.told_at
        self.stopping.tell(self.now + 15, self.now + patience)
        self.drive()

    def drive(self) -> None:
        """What a handler does; a signal that arrives in ``on_kill()`` enters it again."""
        while True:
            step = self.stopping.step(self.now, busy=self.busy, unwinding=False, ended=self.ended)
            if step is Step.STOP_THE_WORK:
                self.stops.append(self.now)
                self.signal(0)
                self.stopping.stopped()
            else:
                break
        if step is Step.RAISE:
            self.raises.append(self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.drive()

    def request(self, under_way: bool) -> None:
        self.busy = under_way
        self.drive()

    def end(self) -> None:
        self.ended = True
        self.drive()

    def leave(self) -> None:
        if not self.left and self.stopping.leave():
            self.stops.append(self.now)
        self.left = True


EVENTS: st.SearchStrategy[Callable[[Play], None]] = st.one_of(
    st.sampled_from([0.0, 2.0, 15.0]).map(lambda patience: lambda play: play.signal(patience)),
    st.floats(0.001, 20).map(lambda seconds: lambda play: play.pass_time(seconds)),
    st.booleans().map(lambda under_way: lambda play: play.request(under_way)),
    st.just(Play.end),
    st.just(Play.leave),
)


@given(st.lists(EVENTS, max_size=40))
def test_in_every_order_of_events(events: list[Callable[[Play], None]]) -> None:
    play = Play()
    for event in events:
        phase, raised = play.stopping.phase, len(play.raises)
        event(play)
        if play.left and phase in (Phase.LEFT, Phase.WATCHING) and not play.stopping.outside:
            assert len(play.raises) == raised, "nothing is raised in code that has been left"
    assert len(play.stops) <= 1, "the work is stopped once"
    assert not play.raises or play.stops[0] <= play.raises[0], "and before anything is raised"
    assert all(later - earlier >= AGAIN_SECONDS for earlier, later in zip(play.raises, play.raises[1:], strict=False))
    if play.told_at is None:
        assert not play.stops
        assert not play.raises
    if play.left and play.told_at is not None and not play.stopping.outside:
        assert play.stops, "an attempt that was told to stop never leaves its work behind"


@given(st.lists(EVENTS, max_size=20))
def test_whatever_came_before_it_ends(events: list[Callable[[Play], None]]) -> None:
    """A told attempt whose code does not leave is raised in, at the latest a second after the deadline."""
    play = Play()
    for event in events:
        event(play)
    if play.left:
        return
    play.signal(15)
    play.request(False)
    play.raises.clear()
    play.pass_time(15 + AGAIN_SECONDS)
    assert play.raises

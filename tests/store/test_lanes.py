"""How many downloads go on at once: few while this process works, many once it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bootsmith.host.clock import Moment
from bootsmith.store.lanes import Lanes

WORKED, WAITED = 0.09, 0.01  # of a tenth of a second


def test_there_are_two_lanes_at_first() -> None:
    with held(Lanes(8), 8) as inside:
        assert inside() == 2


def test_there_are_many_once_this_process_waited() -> None:
    lanes = Lanes(8, clock=clock(WORKED, WAITED))
    with held(lanes, 10) as inside:
        lanes.look()
        assert not lanes.are_many
        lanes.look()
        assert lanes.are_many
        until(lambda: inside() == 8)


def test_there_are_few_as_long_as_it_works() -> None:
    lanes = Lanes(8, clock=clock(WORKED, WORKED, WORKED))
    for _ in range(3):
        lanes.look()
    assert not lanes.are_many


def test_a_second_look_makes_no_more_of_them() -> None:
    lanes = Lanes(8, clock=clock(WAITED, WAITED))
    lanes.look()
    lanes.look()
    with held(lanes, 12) as inside:
        until(lambda: inside() == 8)
        time.sleep(0.05)
        assert inside() == 8


def test_the_clock_of_this_machine() -> None:
    """A process that sleeps waits."""
    lanes = Lanes(8)
    time.sleep(0.05)
    lanes.look()
    assert lanes.are_many


def clock(*worked_s: float) -> Callable[[], Moment]:
    """Looked at every tenth of a second, between which so much work was done."""
    moments = iter(
        [Moment(0.1 * index, sum(worked_s[:index])) for index in range(len(worked_s) + 1)]
    )
    return lambda: next(moments)


@contextmanager
def held(lanes: Lanes, count: int) -> Iterator[Callable[[], int]]:
    """``count`` threads that each want a lane and keep it; how many have one."""
    leave = threading.Event()
    entered: list[int] = []

    def hold(number: int) -> None:
        with lanes:
            entered.append(number)
            leave.wait(30)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(count)]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(leave.set)
        until(lambda: len(entered) >= 2)
        time.sleep(0.05)
        yield lambda: len(entered)


def until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")

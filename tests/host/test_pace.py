"""What counts as too slow."""

from __future__ import annotations

import pytest

from bootsmith.host.pace import LeastPace, Pace

LEAST = LeastPace(size_bytes=100, period_s=10)


def test_a_byte_now_and_then_is_too_slow() -> None:
    pace = Pace(LEAST)
    for _ in range(10):
        pace.note(1, waited_s=1)
    with pytest.raises(TimeoutError, match="it sent 11 bytes in 10 s, which is too slow"):
        pace.note(1, waited_s=1)


def test_a_server_may_think_before_it_begins() -> None:
    pace = Pace(LEAST)
    pace.note(1, waited_s=1000)
    pace.note(1, waited_s=9)


def test_a_slow_line_is_not() -> None:
    pace = Pace(LEAST)
    for _ in range(1000):
        pace.note(11, waited_s=1)


def test_what_came_fast_does_not_pay_for_what_comes_later() -> None:
    pace = Pace(LEAST)
    pace.note(1 << 30, waited_s=1)
    with pytest.raises(TimeoutError):
        pace.note(99, waited_s=10)


def test_whoever_reads_slowly_is_not_blamed_on_the_server() -> None:
    pace = Pace(LEAST)
    for _ in range(1000):
        pace.note(1, waited_s=0)

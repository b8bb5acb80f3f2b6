"""Signals for this process, on their way to another."""

from __future__ import annotations

import os
import queue
import signal

import pytest

from bootsmith.host.signal_forwarding import ForwardedSignals
from bootsmith.host.signals import Terminated

PATIENCE_S = 20


def test_signals_arrive_as_the_numbers_of_linux() -> None:
    arrived: queue.Queue[int] = queue.Queue()
    before = signal.getsignal(signal.SIGUSR1)
    with ForwardedSignals() as signals:
        signals.lead_to(arrived.put)
        for number, linux in ((signal.SIGUSR1, 10), (signal.SIGTERM, 15), (signal.SIGINT, 2)):
            os.kill(os.getpid(), number)
            assert arrived.get(timeout=PATIENCE_S) == linux
    assert signal.getsignal(signal.SIGUSR1) is before


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_the_third_request_to_end_is_obeyed(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    arrived: queue.Queue[int] = queue.Queue()
    with pytest.raises(raised), ForwardedSignals() as signals:
        signals.lead_to(arrived.put)
        for _ in range(2):
            os.kill(os.getpid(), number)
            arrived.get(timeout=PATIENCE_S)
        os.kill(os.getpid(), number)
        signal.pause()


def test_until_they_lead_somewhere_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ForwardedSignals():
        assert signal.getsignal(signal.SIGTERM) is before

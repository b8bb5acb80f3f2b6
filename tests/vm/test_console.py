from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from bootsmith.host.channel import Channel
from bootsmith.vm.console import Console


class Watched:
    """A console, the machine's end of it, and a way to wait for what it notices."""

    def __init__(self) -> None:
        ours, self.machine = Channel.pair()
        self._changed = threading.Event()
        self.printed = bytearray()
        self.console = Console(ours, on_change=self._changed.set, on_output=self.printed.extend)

    def wait_for_change(self) -> None:
        assert self._changed.wait(20)
        self._changed.clear()

    def end(self) -> None:
        self.machine.hang_up()
        self.console.close()
        self.machine.close()


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    yield watched
    watched.end()


def test_the_first_output_is_noticed(watched: Watched) -> None:
    assert not watched.console.has_output
    watched.machine.send(b"L")
    watched.wait_for_change()
    assert watched.console.has_output
    assert watched.console.panic is None


def test_a_panic_is_noticed_although_it_comes_in_pieces(watched: Watched) -> None:
    line = b"\r\n[    1.5] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n"
    watched.machine.send(line[:20])
    watched.wait_for_change()
    for start in range(20, len(line), 7):
        watched.machine.send(line[start : start + 7])
    watched.wait_for_change()
    assert watched.console.panic == "Kernel panic - not syncing: VFS: Unable to mount root fs"


def test_the_tail_is_readable_and_bounded(watched: Watched) -> None:
    for number in range(20_000):
        watched.machine.send(b"\x1b[1;31mline %d\x1b[0m \xff\x07\r\n" % number)
    watched.end()
    assert watched.console.has_ended
    assert watched.console.tail(lines=2) == "line 19998 \ufffd\nline 19999 \ufffd"
    assert len(watched.printed) > 200_000
    assert len(watched.console.tail(lines=1_000_000)) <= 64 << 10


def test_what_is_typed_arrives(watched: Watched) -> None:
    watched.console.send(b"root\n")
    assert watched.machine.receive() == b"root\n"


@pytest.mark.parametrize("trace_lines", [0, 60])
def test_what_init_said_before_it_gave_up(watched: Watched, trace_lines: int) -> None:
    watched.machine.send(b"bootsmith: network: eth0 10.0.2.15\r\n[ 1.0] something else\r\n")
    watched.machine.send(b"bootsmith: cannot mount /dev/vda (ext4): no such device\r\n")
    watched.machine.send(b"[ 5.8] Kernel panic - not syncing: Attempted to kill init! exit\r\n")
    watched.machine.send(b"[ 5.9]  ? do_syscall_64+0x69/0x90\r\n" * trace_lines)
    watched.end()
    assert watched.console.complaint() == "cannot mount /dev/vda (ext4): no such device"


def test_a_kernel_that_gives_up_long_after_init_has_spoken(watched: Watched) -> None:
    watched.machine.send(b"bootsmith: network: eth0 10.0.2.15\r\n[ 1.0] something else\r\n")
    watched.machine.send(b"[ 5.8] Kernel panic - not syncing: Attempted to kill init! exit\r\n")
    watched.end()
    assert watched.console.complaint() is None

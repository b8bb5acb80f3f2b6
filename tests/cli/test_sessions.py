"""The commands that run something in a guest, as a person or a supervisor uses them."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from typing import IO

import pytest

from tests.support.debian_images import BOOTSMITH, CACHE, bootsmith
from tests.support.judges import require

pytestmark = [pytest.mark.boot, pytest.mark.network]

PATIENCE_S = 120
# The command line becomes the leader of a session whose terminal is its standard input.
AT_ITS_TERMINAL = ("setsid", "--ctty", "--wait")


@pytest.fixture(autouse=True)
def _qemu() -> None:
    require("qemu-system-x86_64")


class Person:
    """Somebody at a terminal of 31 lines and 91 columns."""

    def __init__(self, screen: int) -> None:
        self._screen = screen
        self._seen = b""
        self.resize(31, 91)

    def resize(self, rows: int, columns: int) -> None:
        """The kernel tells whoever is in the terminal's foreground."""
        ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._screen, keys)

    def wait_for(self, text: bytes) -> None:
        """Look at the screen until ``text`` appears behind what was already waited for."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self._seen:
            ready, _, _ = select.select([self._screen], [], [], deadline - time.monotonic())
            assert ready, f"{text!r} did not appear: {self._seen!r}"
            self._seen += os.read(self._screen, 4096)
        self._seen = self._seen.partition(text)[2]


@contextmanager
def at_a_terminal(*words: str | Path) -> Iterator[tuple[Person, subprocess.Popen[bytes], int]]:
    """A person, the program they have started, and the program's end of the terminal."""
    require("setsid")
    ours, theirs = pty.openpty()
    person = Person(ours)
    process = subprocess.Popen(
        [*AT_ITS_TERMINAL, BOOTSMITH, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "BOOTSMITH_CACHE_DIR": str(CACHE), "TERM": "xterm"},
    )
    try:
        yield person, process, theirs
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_a_shell_at_a_terminal(debian_image: Path) -> None:
    with at_a_terminal("bash", debian_image) as (person, process, terminal):
        before = termios.tcgetattr(terminal)
        person.wait_for(b"# ")
        assert termios.tcgetattr(terminal) != before
        person.type(b"stty size; echo $TERM $0\r")
        person.wait_for(b"31 91")
        person.wait_for(b"xterm bash")
        person.resize(42, 101)
        person.wait_for(b"# ")
        person.type(b"sleep 0.5; stty size\r")
        person.wait_for(b"42 101")
        person.type(b"sleep 1000\r")
        person.wait_for(b"sleep 1000")
        time.sleep(0.5)
        person.type(b"\x03")
        person.wait_for(b"^C")
        person.type(b"exit 7\r")
        assert process.wait(PATIENCE_S) == 7
        assert termios.tcgetattr(terminal) == before


@pytest.mark.parametrize("command", ["exec", "run"])
def test_a_command_at_a_terminal(debian_image: Path, command: str) -> None:
    script = "test -t 0 && test -t 2 && stty size; read -r word; exit $word"
    with at_a_terminal(command, "--tty", debian_image, "--", "sh", "-c", script) as (
        person,
        process,
        _,
    ):
        person.wait_for(b"31 91")
        person.type(b"9\r")
        assert process.wait(PATIENCE_S) == 9


def test_a_script_goes_into_a_shell(debian_image: Path) -> None:
    done = bootsmith("bash", debian_image, stdin=b"echo in the $(uname)\nexit 4\n")
    assert (done.returncode, done.stdout, done.stderr) == (4, b"in the Linux\n", b"")


@contextmanager
def running(
    *words: str | Path, env: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    process = subprocess.Popen(
        [BOOTSMITH, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "BOOTSMITH_CACHE_DIR": str(CACHE), **(env or {})},
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_signals_go_to_the_command(debian_image: Path) -> None:
    script = """
    trap 'echo got TERM; exit 9' TERM
    trap 'echo got INT' INT
    echo ready
    while :; do sleep 0.1; done
    """
    with running("exec", debian_image, "--", "sh", "-c", script) as (process, output):
        assert output.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert output.readline() == b"got INT\n"
        process.send_signal(signal.SIGTERM)
        assert output.readline() == b"got TERM\n"
        assert process.wait(PATIENCE_S) == 9


def test_who_is_not_heeded_asks_three_times(debian_image: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    with running("exec", debian_image, "--", "sh", "-c", script) as (process, output):
        assert output.readline() == b"ready\n"
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        assert process.wait(PATIENCE_S) == 128 + signal.SIGTERM


def test_nothing_is_left_of_a_command_that_was_killed(debian_image: Path, tmp_path: Path) -> None:
    words = ("exec", debian_image, "--", "sh", "-c", "echo ready; sleep 1000")
    with running(*words, env={"TMPDIR": str(tmp_path)}) as (process, output):
        assert output.readline() == b"ready\n"
        assert list(tmp_path.glob("bootsmith-vm-*")) != []
        process.kill()
        process.wait()
        deadline = time.monotonic() + PATIENCE_S
        while (left := [*tmp_path.iterdir(), *programs_about(tmp_path)]) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.1)
        assert left == []


def programs_about(folder: Path) -> list[str]:
    """What runs with ``folder`` on its command line."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "cmdline").read_bytes()
            except OSError:  # it has just ended
                continue
            if os.fsencode(folder) in words:
                found.append(words.decode("utf-8", "replace"))
    return found


def test_a_snapshot_and_what_follows(debian_image: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.qcow2"
    failed = bootsmith("snapshot", debian_image, "-o", saved, "--", "sh", "-c", "exit 3")
    assert (failed.returncode, saved.exists()) == (3, False)
    words = ("--", "sh", "-c", "echo kept > /root/note")
    made = bootsmith("snapshot", debian_image, "-o", saved, *words)
    assert made.returncode == 0, made.stderr
    (command,) = re.findall(rb"resume it with: bootsmith (.*)\n", made.stderr)
    assert command == b"bash --resume " + os.fsencode(saved)
    where = {"BOOTSMITH_GUEST_DIR": str(debian_image)}
    shown = bootsmith(*command.decode().split(), stdin=b"cat /root/note\n", env=where)
    assert shown.stdout == b"kept\n", shown.stderr
    lost = bootsmith("exec", "--resume", saved, "--", "true", cwd=tmp_path)
    assert lost.returncode == 1
    assert b"build id" in lost.stderr

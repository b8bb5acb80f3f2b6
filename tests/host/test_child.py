"""Programs that keep running: how they start, how they end, and who ends them if we cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bootsmith.errors import ToolMissing
from bootsmith.host.channel import Channel
from bootsmith.host.child import Child
from bootsmith.host.temporary import RuntimeFolder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RuntimeFolder]:
    with RuntimeFolder(parent=tmp_path) as made:
        yield made


def start(folder: RuntimeFolder, *argv: str) -> Child:
    return Child.start(argv, guardian=folder.guardian, output=folder.path / "log")


def test_its_output_goes_to_the_file(folder: RuntimeFolder) -> None:
    child = start(folder, "/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    assert child.wait(20) == 3
    assert child.output_tail() == "out\nerr"


def test_its_words_arrive_as_they_are(folder: RuntimeFolder) -> None:
    words = ("-n", "a b", "$HOME", "'", "", "*")
    child = start(folder, "printf", "%s|", *words)
    assert child.wait(20) == 0
    assert child.output_tail() == "|".join(words) + "|"


def test_it_has_a_clean_environment_and_no_descriptors(
    folder: RuntimeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    ours, theirs = Channel.pair()
    child = Child.start(
        ("/bin/sh", "-c", "env; for fd in /proc/self/fd/*; do readlink $fd; done; cat >&2"),
        guardian=folder.guardian,
        output=folder.path / "log",
        env={"ASKED": "1"},
    )
    assert child.wait(20) == 0
    said = child.output_tail()
    assert "SECRET" not in said
    assert "ASKED=1" in said
    assert "socket:" not in said
    assert "pipe:" not in said, "the guardian's pipe must not reach the program"
    ours.close()
    theirs.close()


def test_it_inherits_what_it_is_given(folder: RuntimeFolder) -> None:
    ours, theirs = Channel.pair()
    number = theirs.fileno()
    # Not every shell can redirect from a descriptor above 9.
    child = Child.start(
        (sys.executable, "-c", f"import os; os.write({number}, b'hello')"),
        guardian=folder.guardian,
        output=folder.path / "log",
        descriptors=(number,),
    )
    theirs.close()
    assert ours.receive() == b"hello"
    assert child.wait(20) == 0
    ours.close()


def test_a_missing_program(folder: RuntimeFolder) -> None:
    with pytest.raises(ToolMissing, match="no-such-program"):
        start(folder, "no-such-program")
    child = start(folder, "/no/such/program")
    assert child.wait(20) == 127
    assert "/no/such/program" in child.output_tail()


def test_terminate_is_polite_first(folder: RuntimeFolder) -> None:
    child = start(folder, "/bin/sh", "-c", "trap 'echo bye; exit 7' TERM; echo up; sleep 60 & wait")
    wait_until(lambda: "up" in child.output_tail())
    assert child.terminate(grace_s=20) == 7
    assert child.output_tail().endswith("bye")


def test_terminate_gets_its_way(folder: RuntimeFolder) -> None:
    child = start(folder, "/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 60; done")
    wait_until(lambda: "up" in child.output_tail())
    assert child.terminate(grace_s=0.1) == 128 + signal.SIGKILL
    assert child.terminate() == 128 + signal.SIGKILL, "a second time is no harm"
    child.kill()


def test_killing_takes_its_children_along(folder: RuntimeFolder) -> None:
    child = start(folder, "/bin/sh", "-c", "sleep 61 & echo $!; wait")
    wait_until(lambda: child.output_tail() != "")
    grandchild = int(child.output_tail())
    child.kill()
    wait_until(lambda: not alive(grandchild))


def test_the_folder_is_private_and_goes_away(tmp_path: Path) -> None:
    with RuntimeFolder(parent=tmp_path) as made:
        assert made.path.stat().st_mode & 0o777 == 0o700
        (made.path / "sub").mkdir()
        (made.path / "sub" / "file").write_text("x")
    made.close()
    assert list(tmp_path.iterdir()) == []


_PARENT = """
import sys, time
from pathlib import Path
from bootsmith.host.child import Child
from bootsmith.host.temporary import RuntimeFolder
import threading

def start():
    folder = RuntimeFolder(parent=Path(sys.argv[1]))
    child = Child.start(["sleep", "1000"], guardian=folder.guardian, output=folder.path / "log")
    kept.append((folder, child))
    print(child.pid, flush=True)

kept = []
starter = threading.Thread(target=start)  # a thread that ends must not take the child along
starter.start(); starter.join()
time.sleep(0.2)
assert kept[0][1].status() is None
{how}
"""


@pytest.mark.parametrize(
    ("how", "kill"),
    [
        ("time.sleep(1000)", signal.SIGKILL),
        ("time.sleep(1000)", signal.SIGTERM),
        ("import os; os._exit(1)", None),
        ("import os; os.abort()", None),
        ("sys.exit('forgotten')", None),
    ],
    ids=["SIGKILL", "SIGTERM", "_exit", "abort", "forgotten"],
)
def test_nothing_outlives_a_parent(tmp_path: Path, how: str, kill: signal.Signals | None) -> None:
    parent = subprocess.Popen(
        (sys.executable, "-c", _PARENT.format(how=how), os.fspath(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    if kill is not None:
        parent.send_signal(kill)
    parent.wait(20)
    wait_until(lambda: not alive(child))
    wait_until(lambda: not list(tmp_path.iterdir()))
    parent.stdout.close()


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)

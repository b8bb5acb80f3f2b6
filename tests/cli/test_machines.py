"""The commands for machines that run on: what they print, and what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.debian_images import BOOTSMITH, bootsmith
from tests.support.judges import require


class Home:
    """A user with a cache folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._env = {"BOOTSMITH_CACHE_DIR": str(folder / "cache")}

    def run(self, *words: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return bootsmith(*words, env=self._env, stdin=stdin)

    def run_by_shell(self, script: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        """A shell runs ``script`` with the command line as its arguments."""
        return subprocess.run(
            ("sh", "-c", script, "sh", BOOTSMITH, *words),
            env={**os.environ, **self._env}, stdin=subprocess.DEVNULL,
            capture_output=True, check=False, timeout=120,
        )  # fmt: skip

    def say(self, *words: str | Path, stdin: bytes = b"") -> str:
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["attach", "web"], 1, "there is no machine 'web'"),
        (["logs", "web"], 1, "there is no machine 'web'"),
        (["stop", "web"], 1, "there is no machine 'web'"),
        (["stop"], 2, "missing argument"),
        (["snapshot", "-o", "x", "--vm", "web"], 1, "there is no machine 'web'"),
        (["snapshot", "-o", "x", "--vm", "web", "./image"], 2, "--vm takes neither an IMAGE"),
        (["snapshot", "-o", "x", "--vm", "web", "--cwd", "/"], 2, "go with a command"),
        (["exec", "--vm", "web", "--", "true"], 1, "there is no machine 'web'"),
        (["exec", "--vm", "web", "./image", "--", "true"], 2, "--vm takes neither an IMAGE"),
        (["exec", "--vm", "web", "--memory", "64", "--", "true"], 2, "--vm takes neither"),
        (["run", "--name", "web"], 2, "--name goes with --detach"),
        (["run", "--detach", "--", "true"], 2, "--detach takes no command"),
        (["run", "--detach", "--cwd", "/"], 2, "--detach takes no command"),
        (["run", "--detach", "--tty"], 2, "--detach takes no --tty"),
        (["run", "--detach", "/nowhere"], 1, "there is no folder /nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_refused(tmp_path: Path, words: list[str], status: int, says: str) -> None:
    done = Home(tmp_path).run(*words)
    assert done.returncode == status, done.stderr.decode()
    assert says in done.stderr.decode()


def test_nothing_runs(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.say("list").split() == ["ID", "NAME", "STATE", "SINCE", "CPUS", "MEMORY", "IMAGE"]
    assert json.loads(home.say("list", "--json")) == []
    assert home.say("list", "--quiet") == ""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, debian_image: Path) -> Iterator[Home]:
    """A user who has one machine."""
    require("qemu-system-x86_64")
    home = Home(tmp_path_factory.mktemp("home"))
    started = home.say("run", "--detach", "--name", "web", debian_image)
    yield home
    home.say("stop", started[:3])
    assert json.loads(home.say("list", "--json")) == []


@pytest.mark.boot
@pytest.mark.network
class TestOneMachine:
    def test_it_is_listed(self, home: Home) -> None:
        (found,) = json.loads(home.say("list", "--json"))
        assert (found["name"], found["state"], found["arch"]) == ("web", "running", "x86_64")
        assert home.say("list", "--quiet") == f"{found['id']}\n"

    def test_commands_run_in_it(self, home: Home) -> None:
        data = bytes(range(256)) * 1000
        done = home.run(
            "exec", "--vm", "web", "--env", "A=b c", "--cwd", "/etc", "--",
            "sh", "-c", 'cat; echo "$A $PWD" >&2; exit 5', stdin=data,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (5, data, b"b c /etc\n")

    @pytest.mark.parametrize(
        ("closed", "status", "output"),
        [("<&-", 3, b"end\n"), (">&-", 1, b""), ("2>&-", 3, b"end\n")],
    )
    def test_a_stream_of_ours_that_is_closed(
        self, home: Home, closed: str, status: int, output: bytes
    ) -> None:
        words = ("exec", "--vm", "web", "--", "sh", "-c", "cat; echo end; exit 3")
        done = home.run_by_shell(f'exec "$@" {closed}', *words)
        assert (done.returncode, done.stdout) == (status, output), done.stderr

    def test_a_shell_without_a_terminal_reads_its_script(self, home: Home) -> None:
        done = home.run("attach", "web", stdin=b"echo $((6 * 7)); exit 4\n")
        assert (done.returncode, done.stdout) == (4, b"42\n")

    def test_its_log(self, home: Home) -> None:
        assert "bootsmith: mounted /dev/vda" in home.say("logs", "web")

    def test_its_name_is_taken(self, home: Home, debian_image: Path) -> None:
        done = home.run("run", "--detach", "--name", "web", debian_image)
        assert done.returncode == 1
        assert b"web is running already" in done.stderr


@pytest.mark.boot
@pytest.mark.network
def test_stopping_some_that_are_not_there_stops_the_others(
    tmp_path: Path, debian_image: Path
) -> None:
    require("qemu-system-x86_64")
    home = Home(tmp_path)
    home.say("run", "--detach", "--name", "web", debian_image)
    done = home.run("stop", "first", "web", "second", "web")
    assert done.returncode == 1
    said = done.stderr.decode()
    assert "there is no machine 'first'\nthere is no machine 'second'\n" in said
    assert json.loads(home.say("list", "--json")) == []


@pytest.mark.boot
@pytest.mark.network
def test_without_detach_it_is_gone_afterwards(tmp_path: Path, debian_image: Path) -> None:
    require("qemu-system-x86_64")
    home = Home(tmp_path)
    done = home.run("run", debian_image, "--", "sh", "-c", "echo hello; exit 3")
    assert (done.returncode, done.stdout) == (3, b"hello\n"), done.stderr
    assert json.loads(home.say("list", "--json")) == []


@pytest.mark.boot
@pytest.mark.network
def test_a_machine_that_runs_is_kept_in_a_file(tmp_path: Path, debian_image: Path) -> None:
    require("qemu-system-x86_64")
    home, saved = Home(tmp_path), tmp_path / "saved.qcow2"
    home.say("run", "--detach", "--name", "web", debian_image)
    failed = home.run("snapshot", "-o", saved, "--vm", "web", "--", "sh", "-c", "exit 3")
    assert (failed.returncode, saved.exists()) == (3, False)
    home.say("exec", "--vm", "web", "--", "sh", "-c", "echo one > /root/state")
    home.say("snapshot", "-o", saved, "--vm", "web")
    assert json.loads(home.say("list", "--json")) == []
    home.say("run", "--detach", "--name", "web", "--resume", saved, debian_image)
    words = ("sh", "-c", "echo two >> /root/state")
    home.say("snapshot", "-o", saved, "--vm", "web", "--", *words)  # the same again
    kept = home.say("exec", debian_image, "--resume", saved, "--", "cat", "/root/state")
    assert kept == "one\ntwo\n"

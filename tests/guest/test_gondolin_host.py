"""Gondolin's own host boots a folder made by ``bootsmith build``; no file of it is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.debian_images import build
from tests.support.gondolin_host import GondolinHost, gondolin_host
from tests.support.judges import require
from tests.support.terminal_dialogue import TerminalDialogue

pytestmark = [pytest.mark.judge, pytest.mark.boot, pytest.mark.network]


@pytest.fixture
def host() -> Iterator[GondolinHost]:
    with gondolin_host() as found:
        yield found


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in folder.iterdir()
    )


def test_exec_on_the_command_line(host: GondolinHost, debian_image: Path) -> None:
    before = _listing(debian_image)
    done = host.run(
        host.command("exec", "--", "sh", "-c", "uname -sm; echo err >&2; exit 3"),
        image=debian_image,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, b"Linux x86_64\n", b"err\n")
    assert _listing(debian_image) == before


def test_exec_with_a_folder_of_the_host(
    host: GondolinHost, debian_image: Path, tmp_path: Path
) -> None:
    (tmp_path / "from-host").write_text("hello\n")
    script = 'pwd; echo "$A"; cat from-host; echo written > from-guest; exit 5'
    done = host.run(
        host.command(
            "exec", "--image", debian_image, "--mount-hostfs", f"{tmp_path}:/work",
            "--cmd", "sh", "--arg", "-c", "--arg", script, "--env", "A=b c", "--cwd", "/work",
        )
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, b"/work\nb c\nhello\n"), done.stderr
    assert (tmp_path / "from-guest").read_text() == "written\n"


def test_bash_on_a_terminal(host: GondolinHost, debian_image: Path) -> None:
    with TerminalDialogue(
        host.command("bash"), env=host.environment(debian_image), rows=30, columns=100
    ) as dialogue:
        dialogue.expect("# ")
        dialogue.say("stty size; echo $0 $((6 * 7))\n")
        dialogue.expect("30 100")
        dialogue.expect("bash 42")
        dialogue.say("sleep 1000\n")
        dialogue.say("\x03")
        dialogue.expect("^C")
        dialogue.say("exit 7\n")
        assert dialogue.wait() == 7


# Names that mean something to a shell, or to the init script, and one that no shell takes.
ENVIRONMENT = {
    "guest": "g", "bundle": "b", "BASH_ENV": "/nowhere", "system": "x",
    "PATH": "/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin", "QUOTED": "it's $HOME `id` \\ \"two\nlines\"",
}  # fmt: skip


def _image_config(folder: Path) -> Path:
    """An image with sshd, an environment, and a script that changes it and ends the shell."""
    (folder / "extra.sh").write_text('export EXTRA="after $guest"\nexit 3\n')
    config = folder / "image.json"
    config.write_text(
        json.dumps(
            {
                "distro": "debian",
                "debian": {"packages": ["ca-certificates", "openssh-server"]},
                "env": ENVIRONMENT,
                "init": {"rootfsInitExtra": "extra.sh"},
            }
        )
    )
    return config


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``session.mjs`` found."""
    require("ssh")
    scratch = tmp_path_factory.mktemp("gondolin")
    (scratch / "shared").mkdir()
    (scratch / "shared/from-host").write_text("hello\n")
    with gondolin_host() as host:
        image = scratch / "image"
        build(image, "--config", _image_config(scratch))
        done = host.run(host.program("session.mjs", image, scratch), image=image)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _result(stdout: str = "", *, code: int = 0, stderr: str = "") -> dict[str, object]:
    return {"exitCode": code, "stdout": stdout, "stderr": stderr}


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        ("streams", _result("out\n", code=3, stderr="err\n")),
        ("words", _result("a b|$HOME|*|")),
        ("stdin", _result("from the host\n")),
        ("place", _result("/etc\nhi there\n")),
        ("signal", {**_result(code=137), "signal": 9}),
        ("large", 3_000_000),
        ("many", [str(number) for number in range(40)]),
        ("file", "content"),
        ("deleted", 1),
        ("share", _result("hello\nwritten\n3000000\n")),
        ("ssh", "over ssh\n"),
        ("ingress", [200, "hi"]),
        ("resumed", _result("kept\n")),
    ],
)
def test_its_library(found: dict[str, Any], step: str, wanted: object) -> None:
    assert found[step] == wanted


def test_a_share_that_is_read_only(found: dict[str, Any]) -> None:
    refused = found["readonlyShare"]
    assert (refused["exitCode"] != 0, refused["stdout"]) == (True, "hello\n")
    assert "Read-only file system" in refused["stderr"] or "ermi" in refused["stderr"]


def test_the_hosts_authority_stands_beside_the_systems_own(found: dict[str, Any]) -> None:
    count, nameserver = found["authority"]["stdout"].splitlines()[:2]
    assert int(count) > 100
    assert nameserver == "nameserver 192.168.127.1"


def test_the_root_file_system_grows(found: dict[str, Any]) -> None:
    assert 1_900_000 < found["rootKilobytes"] < 2 << 20


def test_the_images_environment_is_data(found: dict[str, Any]) -> None:
    present = dict(entry.split("=", 1) for entry in found["environment"].split("\0") if entry)
    assert {name: present.get(name) for name in ENVIRONMENT} == ENVIRONMENT
    assert present["EXTRA"] == "after g"
    # What the kernel makes of words that mean nothing to it stays with init.
    assert "initramfs_async" not in present

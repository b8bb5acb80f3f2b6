"""``bootsmith image`` as a user types it: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bootsmith.manifest.manifest import Manifest
from tests.support.debian_images import bootsmith
from tests.support.judges import unavailable
from tests.support.stored_images import change_manifest, write_small_image


class Terminal:
    """Runs commands with a library of their own, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library = folder / "library"
        self.manifest: Manifest = write_small_image(folder / "assets")
        self.build_id = self.manifest.build_id

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        env = {"BOOTSMITH_IMAGE_STORE": str(self.library)}
        return bootsmith("image", *words, env=env, cwd=self.folder)

    def says(self, *words: str) -> str:
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    def fails(self, *words: str, status: int = 1) -> str:
        done = self.run(*words)
        assert (done.returncode, done.stdout) == (status, b"")
        assert b"Traceback" not in done.stderr
        return done.stderr.decode()


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_a_day_with_the_library(terminal: Terminal) -> None:
    said = terminal.says("import", "assets", "--tag", "tools:1")
    assert said == f"{terminal.build_id} (x86_64): added, called tools:1\n"
    assert terminal.says("import", "assets", "-q") == terminal.build_id + "\n"
    assert terminal.says("tag", "tools:1", "tools") == f"tools: {terminal.build_id}\n"
    lines = terminal.says("ls").splitlines()
    assert lines[0].split() == ["NAME", "ARCH", "BUILD", "ID", "SIZE", "ON", "DISK", "ADDED"]
    assert [line.split()[0] for line in lines[1:3]] == ["tools:1", "tools:latest"]
    assert lines[3].startswith("1 image, ")
    assert terminal.build_id in terminal.says("inspect", "tools")
    assert terminal.says("export", "tools", "out.tar.gz").startswith("out.tar.gz: build id ")
    assert terminal.says("rm", "tools:1") == "removed the name tools:1 (x86_64)\n"
    assert "would remove" not in terminal.says("prune", "--dry-run")
    assert "free again" in terminal.says("rm", terminal.build_id[:8], "--force")
    assert terminal.run("ls").stdout == b""


def test_a_name_that_moves_is_told(terminal: Terminal) -> None:
    other = write_small_image(terminal.folder / "other", text="other").build_id
    terminal.says("import", "assets", "--tag", "tools:1", "--tag", "kept")
    first, last = terminal.says("import", "other", "--tag", "tools:1").splitlines()
    assert first == f"tools:1 moved here from the image {terminal.build_id}"
    assert last == f"{other} (x86_64): added, called tools:1"
    moved = f"kept:latest moved here from the image {terminal.build_id}\n"
    assert terminal.says("tag", "tools:1", "kept", "more") == (
        f"{moved}kept: {other}\nmore: {other}\n"
    )
    assert "moved" not in terminal.says("tag", "tools:1", "kept")


@pytest.mark.network
def test_a_build_ends_with_the_names_of_its_image(terminal: Terminal) -> None:
    def build(*words: str, epoch: str) -> list[str]:
        env = {"BOOTSMITH_IMAGE_STORE": str(terminal.library), "SOURCE_DATE_EPOCH": epoch}
        done = bootsmith("build", *words, env=env, cwd=terminal.folder)
        if b"cannot be reached" in done.stderr:
            unavailable("no Debian mirror can be reached")
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().splitlines()

    terminal.says("import", "assets", "--tag", "tools:1")
    moved, names = build("--tag", "tools:1", "--tag", "new", epoch="1700000000")
    assert moved == f"tools:1 moved here from the image {terminal.build_id}"
    called, build_id = names.split(": build id ")
    assert called == "tools:1, new:latest"
    assert build("--tag", "new", "--quiet", epoch="1700000000") == []
    folder, again = build("--tag", "new", "--output", "out", epoch="1700000000")
    assert folder == f"{terminal.folder / 'out'}: build id {build_id}"
    assert again == f"new:latest: build id {build_id}"


def test_json(terminal: Terminal) -> None:
    terminal.says("import", "assets", "--tag", "tools")
    (listed,) = json.loads(terminal.says("ls", "--json"))
    assert listed["buildId"] == terminal.build_id
    assert listed["names"] == [{"name": "tools:latest", "arch": "x86_64"}]
    assert listed["sizeBytes"] > listed["allocatedBytes"] > 0
    told = json.loads(terminal.says("inspect", "tools", "--json"))
    assert told["packageCount"] == 1
    assert [asset["key"] for asset in told["assets"]] == ["kernel", "initramfs", "rootfs"]
    assert told["manifest"] == json.loads((terminal.folder / "assets/manifest.json").read_text())
    assert json.loads(terminal.says("inspect", "assets", "--json"))["names"] == ["tools:latest"]


@pytest.mark.parametrize("way", [(), ("--link",), ("--move",)], ids=["copy", "link", "move"])
def test_the_day_shown_is_that_on_which_an_image_came(
    terminal: Terminal, way: tuple[str, ...]
) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    terminal.says("import", "assets", "--tag", "tools", *way)
    (listed,) = json.loads(terminal.says("ls", "--json"))
    assert began <= datetime.fromisoformat(listed["addedTime"]) <= datetime.now(UTC)
    assert listed["buildTime"] < listed["addedTime"]
    came = datetime(2024, 2, 29, 12, tzinfo=UTC)
    os.utime(listed["folder"], (0, came.timestamp()))
    (listed,) = json.loads(terminal.says("ls", "--json"))
    assert listed["addedTime"] == "2024-02-29T12:00:00Z"
    assert terminal.says("ls").splitlines()[1].split()[-1] == "2024-02-29"


def test_a_tampered_image_is_found(terminal: Terminal) -> None:
    terminal.says("import", "assets", "--tag", "tools")
    rootfs = terminal.library / "objects" / terminal.build_id / "rootfs.ext4"
    rootfs.chmod(0o644)
    with rootfs.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"tampered")
    assert "damaged" not in terminal.says("ls")
    done = terminal.run("ls", "--verify")
    assert done.returncode == 1
    assert "damaged" in done.stdout.decode().splitlines()[1]
    assert "checksums.rootfs: rootfs.ext4 has the digest" in done.stdout.decode()
    (listed,) = json.loads(terminal.run("ls", "--verify", "--json").stdout)
    assert len(listed["problems"]) == 1
    env = {"BOOTSMITH_IMAGE_STORE": str(terminal.library)}
    done = bootsmith("verify", "tools", env=env)
    assert (done.returncode, b"rootfs.ext4 has the digest" in done.stderr) == (1, True)
    assert b"import or pull it again" in done.stderr
    terminal.says("import", "assets")
    assert bootsmith("verify", "tools", env=env).returncode == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("inspect", "toools"), "did you mean tools:latest?"),
        (("inspect", "toools:2"), "did you mean tools:latest?"),
        (("inspect", "tools", "--arch", "aarch64"), "has no image for aarch64, only for x86_64"),
        (("inspect", "assets", "--arch", "aarch64"), "is for x86_64, not for aarch64"),
        (("tag", "tools", "../x"), "no image name"),
        (("tag", "tools", "x86_64"), "is an architecture"),
        (("import", "nothing"), "nothing does not exist\nhint: an image is a folder with manifest"),
        (
            ("import", "/dev/null"),
            "/dev/null is neither a folder nor a file\nhint: an image is a f",
        ),
        (
            ("import", "assets/manifest.json"),
            "manifest.json is no archive of an image\nhint: an im",
        ),
        (("import", "assets/rootfs.ext4"), "rootfs.ext4 is no archive of an image\nhint: an image"),
        (("import", "."), "there is no image in"),
        (("import", "assets", "--tag", "a:b:"), "no image name"),
        (("rm", "absent"), "no image in the library called absent"),
        (("rm", "assets"), "assets is a folder, and what is removed are names and images of the"),
        (("rm", "./assets/manifest.json"), "./assets/manifest.json is a file, and what is removed"),
        (("rm", "../library"), "no image can be called so"),
        (("rm", "tools", "--arch", "aarch64"), "has no image for aarch64"),
        (("export", "tools", "out.tar.xz"), "end it in .tar, .tar.gz"),
        (("pull", "tools", "--registry", "nothing.json"), "does not exist"),
    ],
)
def test_what_goes_wrong(terminal: Terminal, words: tuple[str, ...], says: str) -> None:
    terminal.says("import", "assets", "--tag", "tools")
    assert says in terminal.fails(*words)
    assert terminal.says("ls").count("tools") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("import", "assets", "--link", "--move"), "exclude each other"),
        (("export", "tools", "out.tar", "--link"), "--link is for folders"),
        (("inspect", "tools", "--arch", "vax"), "use one of: x86_64, aarch64"),
    ],
)
def test_wrong_usage(terminal: Terminal, words: tuple[str, ...], says: str) -> None:
    terminal.says("import", "assets", "--tag", "tools")
    assert says in terminal.fails(*words, status=2)


def test_a_manifest_does_not_control_the_terminal(terminal: Terminal) -> None:
    change_manifest(
        terminal.folder / "assets",
        buildTime="\x1b[2J2024",
        config={"arch": "x86_64", "distro": "\x1b]0;evil\x07"},
    )
    terminal.says("import", "assets", "--tag", "tools")
    for words in (("ls",), ("inspect", "tools")):
        assert "\x1b" not in terminal.says(*words)

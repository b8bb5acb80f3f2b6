"""What bootsmith adds to an image, and how the user's own programs take the place of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from bootsmith.config.parse import parse_config
from bootsmith.errors import ConfigError, ImageError
from bootsmith.host.guest_files import agent_binary, init_script
from bootsmith.model.arch import Arch
from bootsmith.model.guest_path import GuestPath, guest_path
from bootsmith.model.reporter import Silent
from bootsmith.pipeline.guest_layer import add_guest
from bootsmith.pipeline.guest_programs import guest_files
from bootsmith.pipeline.own_places import require_free_places
from bootsmith.pipeline.request import BuildRequest
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import InlineBytes, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder

EPOCH_S = 1_700_000_000
OUR_AGENT = "/usr/lib/bootsmith/bootsmith-guest"


class Reports(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


class Made:
    """The guest layer on a small image that holds ``programs``."""

    def __init__(self, folder: Path, programs: Iterable[str] = ("bin/sh",), **fields: Any) -> None:
        self.store = Store(folder / "store")
        self.reports = Reports()
        config = parse_config(fields, origin="x", strict=True)
        request = BuildRequest(config=config, arch=Arch.X86_64, output=folder / "image")
        guest = guest_files(request, store=self.store, base=folder)
        self.guest = guest
        self.tree = add_guest(
            image(programs), guest, request, epoch_s=EPOCH_S, reporter=self.reports
        )

    def text(self, path: str) -> bytes:
        entry = self.tree[guest_path(path)]
        assert isinstance(entry, RegularFile), entry
        return read_content(entry.content, blobs=self.store)

    def link(self, path: str) -> str:
        entry = self.tree[guest_path(path)]
        assert isinstance(entry, Symlink), entry
        return entry.target.decode()


def image(programs: Iterable[str]) -> FileTree:
    builder = TreeBuilder()
    for path in programs:
        builder.ensure_directory(guest_path(path.rpartition("/")[0]))
        builder.put(guest_path(path), RegularFile(Metadata(0o755), InlineBytes(b"")))
    return builder.build()


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    (tmp_path / "init.sh").write_text("#!/bin/sh\nexec /usr/bin/sandboxd\n")
    (tmp_path / "extra.sh").write_text("export EXTRA=yes\n")
    shutil.copy(agent_binary(Arch.X86_64), tmp_path / "own-sandboxd")
    shutil.copy(agent_binary(Arch.AARCH64), tmp_path / "arm-sandboxd")
    return tmp_path


def test_our_init_reads_the_environment_and_the_extra_script(scripts: Path) -> None:
    made = Made(scripts, env=["A=it's", "B=two words"], init={"rootfsInitExtra": "extra.sh"})
    assert made.text("init") == init_script("rootfs-init.sh").read_bytes()
    assert made.text("etc/bootsmith/env") == b"""A='it'"'"'s'\nB='two words'\n"""
    assert made.text("etc/bootsmith/init-extra.sh") == b"export EXTRA=yes\n"
    assert made.link("usr/bin/sandboxd") == OUR_AGENT
    assert made.tree.inode(guest_path("init")).metadata == Metadata(0o755, 0, 0, EPOCH_S * 10**9)


def test_with_the_users_init_a_script_before_the_agent_does(scripts: Path) -> None:
    init = {"rootfsInit": "init.sh", "rootfsInitExtra": "extra.sh"}
    made = Made(scripts, env={"A": "1"}, init=init)
    assert made.text("init") == (scripts / "init.sh").read_bytes()
    assert made.text("usr/bin/sandboxd") == init_script("agent.sh").read_bytes()
    assert made.link("usr/lib/bootsmith/sandboxd") == OUR_AGENT
    alone = Made(scripts, init={"rootfsInit": "init.sh"})
    assert alone.link("usr/bin/sandboxd") == OUR_AGENT


def test_the_script_before_the_agent_sets_all_up_once(scripts: Path) -> None:
    """Run on paths below a folder instead of the root."""
    made = Made(
        scripts,
        env={"A": "it's"},
        init={"rootfsInit": "init.sh", "rootfsInitExtra": "extra.sh"},
    )
    root = scripts / "root"
    for path in ("etc/bootsmith/init-extra.sh", "usr/bin/sandboxd"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        text = made.text(path).decode()
        for place in ("/etc/bootsmith", "/run/bootsmith", "/usr/lib/bootsmith"):
            text = text.replace(place, f"{root}{place}")
        (root / path).write_text(text)
    agent = root / "usr/lib/bootsmith/sandboxd"
    agent.parent.mkdir(parents=True)
    agent.write_text('#!/bin/sh\necho "$A $EXTRA $*"\n')
    agent.chmod(0o755)
    # As the agent's own program `environment` starts it, with what stands in the file.
    start = ["sh", str(root / "usr/bin/sandboxd"), "--with-environment", "--fd", "3"]
    env = {"PATH": os.environ["PATH"], "A": "it's"}
    said = [subprocess.run(start, env=env, capture_output=True, check=True) for _ in range(2)]
    assert [one.stdout for one in said] == [b"it's yes --fd 3\n", b"it's  --fd 3\n"]


def test_an_image_without_a_shell_has_the_agent_for_its_init(scripts: Path) -> None:
    made = Made(scripts, programs=["opt/node"], env={"A": "1"})
    assert made.text("init") == agent_binary(Arch.X86_64).read_bytes()
    with pytest.raises(ConfigError, match="needs /bin/sh"):
        Made(scripts, programs=["opt/node"], init={"rootfsInitExtra": "extra.sh"})


def test_the_users_agent_takes_the_place_of_ours(scripts: Path) -> None:
    made = Made(scripts, sandboxdPath="own-sandboxd")
    assert made.text("usr/bin/sandboxd") == (scripts / "own-sandboxd").read_bytes()
    assert made.link("usr/bin/sandboxfs") == OUR_AGENT


def test_every_program_that_cannot_be_one_is_named(scripts: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Made(
            scripts,
            sandboxdPath="arm-sandboxd",
            sandboxfsPath="init.sh",
            sandboxsshPath="nothing",
            init={"rootfsInit": "none.sh"},
        )
    told = {problem.pointer: problem.message for problem in caught.value.problems}
    assert told["sandboxdPath"] == "is a program for aarch64, and the image is for x86_64"
    assert told["sandboxfsPath"] == "is not a program: not an ELF file"
    assert "nothing" in told["sandboxsshPath"]
    assert "none.sh" in told["init.rootfsInit"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"distro": "debian"}, "give a static program"),
        ({"distro": "alpine"}, "busybox"),
        ({"distro": "alpine", "alpine": {"initramfsPackages": ["busybox"]}}, None),
    ],
)
def test_a_script_in_an_initramfs_without_a_shell_is_a_mistake(
    scripts: Path, fields: dict[str, Any], says: str | None
) -> None:
    init = {"initramfsInit": "init.sh"}
    if says is None:
        assert Made(scripts, init=init, **fields).guest.initramfs_init.size_bytes
        return
    with pytest.raises(ConfigError, match=says):
        Made(scripts, init=init, **fields)


def test_sshd_is_started_as_asked(scripts: Path) -> None:
    programs = ("bin/sh", "usr/sbin/sshd")
    made = Made(scripts, programs=programs, ssh={"port": 2222})
    assert made.text("etc/bootsmith/sshd") == b"-p 2222\n"
    hashed = "$6$abcdefgh$" + "x" * 86
    made = Made(scripts, programs=programs, ssh={"passwordHash": hashed})
    assert b"-o PermitRootLogin=yes\n-o PasswordAuthentication=yes" in made.text(
        "etc/bootsmith/sshd"
    )
    assert guest_path("etc/bootsmith/sshd") not in Made(scripts, programs=programs).tree


def test_what_the_image_has_no_program_for_is_told(scripts: Path) -> None:
    with pytest.raises(ImageError, match="no /usr/sbin/sshd") as caught:
        Made(scripts, ssh={})
    assert "openssh" in str(caught.value.hint)
    with pytest.raises(ImageError, match="/bin/zsh, is not in the image"):
        Made(scripts, users=[{"name": "dev", "shell": "/bin/zsh"}])


def test_what_an_image_has_in_our_places_is_told(scripts: Path) -> None:
    made = Made(scripts, programs=["bin/sh", "init", "usr/bin/sandboxd"])
    assert [text.partition(" ")[0] for text in made.reports.warnings] == [
        "/init", "/usr/bin/sandboxd",
    ]  # fmt: skip
    assert "init.rootfsInit" in made.reports.warnings[0]


@pytest.mark.parametrize(
    ("dest", "paths", "is_ours"),
    [
        ("/init", ["tool"], True),
        ("/", ["init"], True),
        ("/", ["", "etc", "etc/hostname"], True),
        ("/bin/sandboxd", ["x"], True),
        ("/usr", ["", "bin", "bin/sandboxfs"], True),
        ("/etc/bootsmith", ["", "env"], True),
        ("/opt", ["", "init"], False),
        ("/etc/hosts", ["hostname"], False),
    ],
)
def test_a_copy_to_our_places_is_a_mistake(dest: str, paths: list[str], is_ours: bool) -> None:
    config = parse_config({"postBuild": {"copy": [{"src": "x", "dest": dest}]}}, origin="x")
    copied = [(dest, [GuestPath(os.fsencode(path)) for path in paths])]
    if not is_ours:
        return require_free_places(config, copied)
    with pytest.raises(ConfigError, match="is written by bootsmith itself") as caught:
        require_free_places(config, copied)
    assert caught.value.problems[0].pointer == "postBuild.copy[0]"
    return None


@pytest.mark.parametrize(
    ("path", "use"),
    [
        ("/etc/hostname", "use hostname"),
        ("/init", "init.rootfsInit"),
        ("/etc//bootsmith/env", "use env"),
    ],
)
def test_a_file_in_our_places_is_a_mistake(path: str, use: str) -> None:
    config = parse_config({"files": [{"path": path, "content": ""}]}, origin="x")
    with pytest.raises(ConfigError, match=use) as caught:
        require_free_places(config, ())
    assert caught.value.problems[0].pointer == "files[0].path"

"""What other builders let packages and commands do to an image, or to the machine they run on."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootsmith.host.files import FileSource
from bootsmith.host.namespaces import namespace_support
from bootsmith.image.ext4 import Ext4Reader
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import display, guest_path
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Device, Directory, Entry, HardLink, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree
from tests.support.alpine_mirrors import KEY, AlpineMirror, generated_mirror, linux_virt
from tests.support.alpine_repository import Apk, Dir, File, Hard, Item, Link, apk, repository
from tests.support.debian_images import bootsmith
from tests.support.judges import unavailable

pytestmark = [
    pytest.mark.network,  # where Debian's kernel is not cached yet
    pytest.mark.slow,
]

SECRET = "t0ken-of-the-host"
_CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=ep


@dataclass(frozen=True, slots=True)
class Host:
    """A folder with files that no build may read, write or remove; and where builds happen."""

    folder: Path

    @property
    def canary(self) -> Path:
        return self.folder / "canary"

    def build(self, mirror: AlpineMirror, *packages: str, output: str, **fields: object) -> str:
        """``bootsmith build`` and what it says, after the exit status."""
        config = mirror.config(*packages, name=f"{output}.json", **fields)
        done = bootsmith(
            "build", "-v", "--config", config, "--output", self.folder / output,
            env={"BOOTSMITH_CACHE_DIR": str(self.folder / "store"), "TOKEN": SECRET},
        )  # fmt: skip
        return f"{done.returncode}\n{(done.stdout + done.stderr).decode()}"

    def root(self, output: str) -> Root:
        with FileSource(self.folder / output / "rootfs.ext4") as image:
            tree = Ext4Reader(image).read_tree(Digest.of(b"image"))
            contents = {
                display(path): read_content(entry.content, blobs=_Image(image))
                for path, entry in tree.items()
                if isinstance(entry, RegularFile) and entry.content.size_bytes < 1 << 20
            }
        return Root(tree, contents)


@dataclass(frozen=True, slots=True)
class Root:
    tree: FileTree
    contents: dict[str, bytes]

    def entry(self, path: str) -> Entry:
        return self.tree[guest_path(path)]


@dataclass(frozen=True, slots=True)
class _Image:
    source: FileSource

    def open_blob(self, blob: Digest) -> FileSource:
        return self.source


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    if namespace_support().kind == "none":
        unavailable(namespace_support().reason)
    found = Host(tmp_path_factory.mktemp("bad-input"))
    found.canary.mkdir()
    (found.canary / "secret").write_text(SECRET)
    (found.canary / "program").write_text("#!/bin/sh\n")
    before = _everything(found.canary)
    yield found
    assert _everything(found.canary) == before


def _everything(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every file below ``folder``: content, mode, and when it was changed."""
    return {
        str(path): (path.read_text(), path.lstat().st_mode, path.lstat().st_ctime_ns)
        for path in sorted(folder.rglob("*"))
    }


def _offered(*packages: Apk) -> list[Apk]:
    return [linux_virt(modules="default"), *packages]


def _sly(canary: Path) -> list[Apk]:
    """Packages that are as odd as apk allows, with links to places of the host."""
    return [
        apk(
            name="sly",
            depends="busybox",
            files={
                "init": Link(f"{canary}/program"),
                "opt": Dir(),
                "srv/real": Dir(),
                "srv/merged": Link("real"),
            },
        ),
        apk(
            name="merged",
            depends="sly",
            files={
                "srv/merged/file": b"kept\n",
                "srv/merged/again": Hard("srv/merged/file"),
            },
        ),
        apk(
            name="owners",
            depends="busybox",
            files={
                "srv/mail": Dir(0o2775, user="mail", group="mail", uid=8, gid=12),
                "srv/mail/box": File(b"x", 0o640, user="mail", group="mail", uid=8, gid=12),
                "srv/drop": Dir(0o1733),
                "srv/su": File(b"x", 0o4711),
                "srv/able": File(b"x", 0o755, xattrs=(("security.capability", _CAPABILITY),)),
            },
        ),
    ]


@pytest.fixture(scope="module")
def root(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The tree of an image with all of them, after commands that use what commands need."""
    packages = _offered(*_sly(host.canary))
    commands = [
        "env | sort >/opt/environment",
        "echo gone >/dev/null; head -c 9 /dev/zero | wc -c >/opt/zeros; ls -l /dev >/opt/dev",
        "head -c 1048576 /dev/zero | tr '\\0' x; echo; seq 20000",
        "cat /proc/1/environ /proc/self/environ >/opt/processes 2>/dev/null || true",
    ]
    with generated_mirror(tmp_path_factory.mktemp("mirror"), community=packages) as mirror:
        said = host.build(
            mirror, "linux-virt", "sly", "merged", "owners", output="image",
            postBuild={"commands": commands},
        )  # fmt: skip
    assert said.startswith("0\n"), said[-2000:]
    return host.root("image")


def test_an_init_that_is_a_link_is_replaced_in_the_image_alone(root: Root) -> None:
    assert not isinstance(root.entry("init"), Symlink)


def test_files_below_a_merged_folder_are_kept(root: Root) -> None:
    assert root.contents["srv/real/again"] == b"kept\n"  # the name by which the inode comes first
    pair = {type(root.entry("srv/real/file")), type(root.entry("srv/real/again"))}
    assert pair == {RegularFile, HardLink}
    assert isinstance(root.entry("srv/merged"), Symlink)


@pytest.mark.parametrize(
    ("path", "mode", "owner"),
    [
        ("srv/mail", 0o2775, (8, 12)),
        ("srv/mail/box", 0o640, (8, 12)),
        ("srv/drop", 0o1733, (0, 0)),
        ("srv/su", 0o4711, (0, 0)),
        ("srv/able", 0o755, (0, 0)),
    ],
)
def test_modes_and_owners_are_the_packages(
    path: str, mode: int, owner: tuple[int, int], root: Root
) -> None:
    entry = root.entry(path)
    assert isinstance(entry, RegularFile | Directory)
    found = entry.metadata
    assert (stat.S_IMODE(found.mode), (found.uid, found.gid)) == (mode, owner)


def test_extended_attributes_are_kept(root: Root) -> None:
    entry = root.entry("srv/able")
    assert isinstance(entry, RegularFile)
    assert dict(entry.metadata.xattrs) == {b"security.capability": _CAPABILITY}


def test_nobody_owns_files_but_whom_a_package_names(root: Root) -> None:
    assert {
        (entry.metadata.uid, entry.metadata.gid)
        for _, entry in root.tree.items()
        if not isinstance(entry, HardLink)
    } == {(0, 0), (8, 12)}


def test_commands_have_devices_and_leave_none_behind(root: Root) -> None:
    assert root.contents["opt/zeros"].strip() == b"9"
    assert b" null\n" in root.contents["opt/dev"]
    left = {type(entry) for path, entry in root.tree.items() if path.startswith(b"dev/")}
    assert left <= {Device}  # what every image begins with, and no file that commands wrote


def test_nothing_of_the_hosts_environment_or_resolver_is_in_the_image(root: Root) -> None:
    assert b"PATH=" in root.contents["opt/environment"]
    for path, content in root.contents.items():
        assert SECRET.encode() not in content, path
    resolver = Path("/etc/resolv.conf")
    if resolver.exists():
        assert root.contents.get("etc/resolv.conf") != resolver.read_bytes()


_OUT = {"opt/way": Link("CANARY")}


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ({"../../canary/new": b"x"}, {}, "a path climbs with '..'"),
        ({"opt/a/../../../new": b"x"}, {}, "a path climbs with '..'"),
        ({"opt/copy": Hard("../../../../../../etc/passwd")}, {}, "a path climbs with '..'"),
        ({**_OUT, "opt/copy": Hard("opt/way/secret")}, {}, "opt/copy"),
        ({**_OUT, "opt/way/new": b"x"}, {}, "opt/way/new"),
        (_OUT, {"opt/way/new": b"x"}, "opt/way in the package"),
        ({"opt/na\nme": b"x"}, {}, "control characters"),
    ],
    ids=[
        "name", "name-in-the-middle", "hard-link", "hard-link-through-a-link",
        "file-through-a-link", "file-through-anothers-link", "forged-line",
    ],
)  # fmt: skip
def test_a_hostile_package_ends_the_build(
    first: dict[str, Item], second: dict[str, Item], says: str, host: Host, tmp_path: Path
) -> None:
    hostile = [
        apk(
            name=f"hostile-{number}",
            depends="busybox hostile-1" if number == 2 else "busybox",
            files={
                path: Link(str(host.canary)) if item == Link("CANARY") else item
                for path, item in files.items()
            },
        )
        for number, files in enumerate((first, second), start=1)
    ]
    with generated_mirror(tmp_path / "mirror", community=_offered(*hostile)) as mirror:
        said = host.build(mirror, "linux-virt", "hostile-2", output=tmp_path.name)
    assert said.startswith("1\n"), said
    assert "hostile-" in said
    assert says in said
    assert not (host.folder / tmp_path.name).exists()


def test_a_changed_mirror_and_another_one_are_seen(host: Host, tmp_path: Path) -> None:
    """In one store, and an index that was read before is not passed off as the new one."""

    def offered(version: str) -> list[Apk]:
        files: dict[str, Item] = {"opt/version": version.encode()}
        return _offered(apk(name="news", version=version, files=files))

    with (
        generated_mirror(tmp_path / "one", community=offered("1-r0")) as one,
        generated_mirror(tmp_path / "other", community=offered("0.9-r0")) as other,
    ):
        found = []
        for number, mirror in enumerate((one, other, one)):
            if number == 2:
                mirror.server.files |= repository(offered("2-r0"), key=KEY, path="v3.23/community")
            output = f"news-{number}"
            said = host.build(mirror, "linux-virt", "news", output=output)
            assert said.startswith("0\n"), said
            found.append(host.root(output).contents["opt/version"])
    assert found == [b"1-r0", b"0.9-r0", b"2-r0"]

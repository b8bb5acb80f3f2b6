"""A real Alpine beside us: signed packages of 3.19, and the apk of a minirootfs as a judge.

Both lie outside of the repository; tests that need them are skipped by name where they are not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootsmith.errors import FetchError
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest
from bootsmith.sources.alpine.mirror import ALPINE, Repository
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.trust import alpine_keyring
from bootsmith.sources.alpine.universe import Universe, load_universe
from bootsmith.sources.alpine.unpacked import ChosenApk, admit_apk
from bootsmith.store.blobs import Store
from tests.support.alpine_repository import SigningKey

_INSTALLING = re.compile(r"^\(\d+/\d+\) Installing (\S+) \((\S+)\)", re.MULTILINE)
_STATUS = re.compile(r"^status (\d+)$", re.MULTILINE)
_EMPTY_ROOT = ("etc/apk", "lib/apk/db", "var/cache/apk")

BRANCH = "v3.19"


@dataclass(frozen=True, slots=True)
class Files:
    """An index fetcher over files in memory."""

    files: Mapping[str, bytes]

    def address(self, path: str) -> str:
        return f"https://mirror.example.org/{path}"

    def fresh(self, path: str) -> bytes:
        if path not in self.files:
            raise FetchError(f"{path} is not there", url=path, status=404)
        return self.files[path]


@dataclass(frozen=True, slots=True)
class Folder:
    """An index fetcher over a folder that holds one repository."""

    path: Path

    def address(self, path: str) -> str:
        return f"https://mirror.example.org/{path}"

    def fresh(self, path: str) -> bytes:
        return (self.path / path.removeprefix(f"{BRANCH}/main/")).read_bytes()


def real_repository() -> Path:
    """The folder of the 100 real packages; without it the test is skipped."""
    return _data() / "main"


def real_minirootfs() -> Path:
    """The archive of a real minirootfs; without it the test is skipped."""
    (archive,) = _data().glob("alpine-minirootfs-*.tar.gz")
    return archive


def real_universe(store: Store) -> Universe:
    return load_universe(
        [Repository(mirror=ALPINE, path=f"{BRANCH}/main")],
        arch="x86_64",
        fetchers={ALPINE: Folder(real_repository())},
        store=store,
        keyring=alpine_keyring(Arch.X86_64),
    )


def take_in(packages: Sequence[ApkPackage], folder: Path, store: Store) -> list[ChosenApk]:
    """The files of ``packages``, admitted to ``store``."""
    found = []
    for package in packages:
        kept = store.add_blob([(folder / package.filename).read_bytes()])
        admit_apk(package, kept.digest, store=store)
        found.append(chosen_apk(package, kept.digest))
    return found


def chosen_apk(package: ApkPackage, file: Digest) -> ChosenApk:
    """``package`` of an index, whose file is the blob ``file``."""
    return ChosenApk(
        name=package.name, version=str(package.version), arch=package.arch, digest=file
    )


@dataclass(frozen=True, slots=True)
class RealApk:
    """The apk of a minirootfs, run in it with chroot."""

    root: Path

    @classmethod
    def unpack(cls, folder: Path) -> RealApk:
        """Raises pytest's Skipped where there is no minirootfs or no root's rights."""
        if os.geteuid() != 0:
            pytest.skip("apk in a chroot needs to be run as root")
        with tarfile.open(real_minirootfs()) as tar:
            tar.extractall(folder, filter="fully_trusted")
        empty = folder / "empty"
        for name in _EMPTY_ROOT:
            (empty / name).mkdir(parents=True)
        for name in ("etc/apk/world", "lib/apk/db/installed", "lib/apk/db/triggers"):
            (empty / name).touch()
        (folder / "none").touch()
        return cls(folder)

    def trust(self, key: SigningKey) -> None:
        (self.root / "etc/apk/keys" / key.name).write_bytes(key.public)

    def offer(self, name: str, files: Mapping[str, bytes]) -> None:
        """Put the files of a repository at ``/name``."""
        for path, data in files.items():
            place = self.root / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)

    def offer_folder(self, name: str, folder: Path) -> None:
        """Put a copy of the repository in ``folder`` at ``/name``."""
        shutil.copytree(folder, self.root / name)

    def choose(
        self, worlds: Sequence[Sequence[str]], repositories: Sequence[str]
    ) -> list[list[str] | None]:
        """What ``apk add`` would install in an empty system for each world, in its order.

        ``None`` where it finds no way.
        """
        lines = "".join(
            f"echo '== world'; apk add --simulate --root /empty {_options(repositories)}"
            f' {" ".join(map(_quoted, world))} 2>&1; echo "status $?"\n'
            for world in worlds
        )
        said = self._run(["/bin/sh", "-s"], stdin=lines).stdout
        return [_chosen(part) for part in said.split("== world\n")[1:]]

    def install(self, world: Sequence[str], repositories: Sequence[str], *options: str) -> Path:
        """A system that apk installed itself: its root on the host."""
        root = self.root / "installed"
        words = f"apk add --initdb --root /installed {_options(repositories)}"
        wanted = " ".join(map(_quoted, world))
        done = self._run(["/bin/sh", "-c", f"{words} {' '.join(options)} {wanted}"])
        subprocess.run(["umount", root / "proc"], check=False, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return root

    def begin_with_minirootfs(self) -> Path:
        """The minirootfs once more, as a system to be upgraded: its root on the host."""
        root = self.root / "installed"
        with tarfile.open(real_minirootfs()) as tar:
            tar.extractall(root, filter="fully_trusted")
        return root

    def put_in_place_anew(self, repositories: Sequence[str]) -> None:
        """Bring the system that was begun to what ``repositories`` have, every package of it."""
        named = f"--root /installed --no-scripts {_options(repositories)}"
        said = self.says(
            "/bin/sh", "-ec",
            f"apk upgrade --available {named}\n"
            f"apk fix --reinstall {named} $(apk info --quiet --root /installed {_options([])})",
        )  # fmt: skip
        subprocess.run(["umount", self.root / "installed/proc"], check=False, capture_output=True)
        assert "Reinstalling busybox" in said, said

    def says(self, *argv: str) -> str:
        done = self._run(argv)
        return done.stdout + done.stderr

    def _run(self, argv: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["chroot", self.root, *argv], input=stdin, capture_output=True, text=True, check=False
        )


def _options(repositories: Sequence[str]) -> str:
    named = " ".join(f"--repository {_quoted(one)}" for one in repositories)
    return "--no-network --keys-dir /etc/apk/keys --repositories-file /none --arch x86_64 " + named


def _chosen(said: str) -> list[str] | None:
    found = _STATUS.search(said)
    assert found is not None, said
    if int(found[1]):
        assert "unable to select packages" in said, said
        return None
    # A package from a tagged repository is shown with its tag.
    return [f"{name.partition('@')[0]}-{version}" for name, version in _INSTALLING.findall(said)]


def _quoted(word: str) -> str:
    assert "'" not in word
    return f"'{word}'"


def _data() -> Path:
    found = Path(__file__).parents[3] / "shared/data/alpine-3.19"
    for candidate in (os.environ.get("BOOTSMITH_ALPINE_DATA"), str(found)):
        if candidate and Path(candidate).is_dir():
            return Path(candidate)
    pytest.skip("the real Alpine packages (shared/data/alpine-3.19) are not here")

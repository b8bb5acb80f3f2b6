"""libkrun's kernel: chosen when a build resolves, or said to be missing, and never later."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bootsmith.config.parse import parse_config
from bootsmith.errors import (
    ArchiveError,
    FetchError,
    ImageError,
    IntegrityError,
    PlatformNotFound,
    ResolveError,
)
from bootsmith.host.http import HttpClient
from bootsmith.host.namespaces import namespace_support
from bootsmith.model.arch import Arch
from bootsmith.model.reporter import Silent
from bootsmith.pipeline.krun import Krun
from bootsmith.pipeline.mirrors import MirrorAccess
from bootsmith.pipeline.request import BuildRequest, KrunMode
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.lock import Lock, LockedPackage
from bootsmith.sandbox.chosen import ChosenExecutor
from bootsmith.sandbox.head_start import HeadStart
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.tree.contents import read_content
from tests.plan.test_lock import LOCK
from tests.support import debian_images
from tests.support.debian_images import bootsmith
from tests.support.http_server import Fault, Server, serve
from tests.support.judges import unavailable
from tests.support.kernel_shapes import elf
from tests.support.krunfw_archives import (
    KERNELS,
    VERSION,
    library,
    library_archive,
    release,
    source_archive,
    tgz,
)

LIBRARY = f"{VERSION}/libkrunfw-x86_64.tgz"
SOURCE = f"{VERSION}/libkrunfw-prebuilt-x86_64.tgz"


class Heard(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


@dataclass(kw_only=True)
class Build:
    """As much of a build as decides on libkrun's kernel."""

    folder: Path
    mirror: str
    arch: Arch = Arch.X86_64
    mode: KrunMode = "auto"
    offline: bool = False
    distro: str = "alpine"
    krun: dict[str, Any] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)

    @property
    def store(self) -> Store:
        return Store(self.folder / "store")

    def part(self) -> Krun:
        http, store = HttpClient(), self.store
        fetcher = Fetcher(store=store, http=http, reporter=self.heard, offline=self.offline)
        bench = Workbench(
            store=store,
            fetcher=fetcher,
            mirrors=MirrorAccess(
                store=store,
                http=http,
                fetcher=fetcher,
                environment={"BOOTSMITH_KRUNFW_MIRROR": self.mirror},
            ),
            reporter=self.heard,
            executor=ChosenExecutor(
                wanted="auto",
                arch=self.arch,
                work_folder=store.work,
                head_start=HeadStart(store.work),
                state_folder=self.folder,
                reporter=self.heard,
            ),
            files=self.folder,
            now=datetime.now(UTC),
        )
        config = parse_config({"distro": self.distro, "krun": self.krun}, origin="")
        return Krun(
            BuildRequest(config=config, arch=self.arch, output=self.folder, krun=self.mode), bench
        )

    def kernel(self) -> bytes:
        """The kernel that is chosen, out of its lock."""
        part = self.part()
        content = part.kernel(LOCK.model_copy(update={"krun": part.choose()}))
        assert content is not None
        return read_content(content, blobs=self.store)


@pytest.fixture
def server() -> Iterator[Server]:
    files = release("x86_64") | release("aarch64", with_source=True)
    with serve(files) as running:
        yield running


@pytest.fixture
def build(server: Server, tmp_path: Path) -> Build:
    return Build(folder=tmp_path, mirror=server.url)


def test_an_image_of_debian_has_one_only_when_that_is_asked_for(
    build: Build, server: Server
) -> None:
    build.distro = "debian"
    assert build.part().choose() is None
    assert server.requests == []
    build.krun = {"version": VERSION}
    assert isinstance(build.part().choose(), LockedPackage)
    build.krun, build.mode = {}, "require"
    assert isinstance(build.part().choose(), LockedPackage)


@pytest.mark.parametrize("arch", Arch)
def test_for_any_architecture_on_any_host(build: Build, server: Server, arch: Arch) -> None:
    build.arch = arch
    assert build.kernel() == KERNELS[arch.value]
    chosen = build.part().choose()
    assert isinstance(chosen, LockedPackage)
    data = server.files[chosen.path]
    assert (chosen.digest.hex, chosen.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (chosen.version, chosen.mirror) == (VERSION, "libkrunfw")
    assert build.heard.warnings == []


def test_both_forms_hold_the_same(build: Build, server: Server) -> None:
    build.arch = Arch.AARCH64
    out_of_source = build.kernel()
    assert server.paths() == [f"{VERSION}/libkrunfw-prebuilt-aarch64.tgz"]
    del server.files[f"{VERSION}/libkrunfw-prebuilt-aarch64.tgz"]
    build.folder /= "other"
    assert build.kernel() == out_of_source


def test_nobody_is_asked_twice_but_another_server_is(build: Build, server: Server) -> None:
    first = build.part().choose()
    asked = len(server.requests)
    assert build.part().choose() == first
    build.offline = True
    assert build.part().choose() == first
    assert len(server.requests) == asked
    with serve({LIBRARY: server.files[LIBRARY]}) as other:
        build.offline, build.mirror = False, other.url
        assert build.part().choose() == first
        assert other.paths() == [SOURCE, LIBRARY]


GOOD = release("x86_64")[LIBRARY]
BROKEN: dict[str, dict[str, bytes]] = {
    "truncated": {LIBRARY: GOOD[:-100]},
    "no gzip": {LIBRARY: b"<html>sign in to this network</html>"},
    "empty": {LIBRARY: b""},
    "no library in it": {LIBRARY: tgz({"README": b"nothing"})},
    "a link to nothing": {LIBRARY: tgz({}, links={"lib64/libkrunfw.so": "libkrunfw.so.5"})},
    "a link around": {LIBRARY: tgz({}, links={"lib64/libkrunfw.so": "libkrunfw.so"})},
    "a link out of it": {LIBRARY: tgz({}, links={"lib64/libkrunfw.so": "../../etc/passwd"})},
    "a member outside": {LIBRARY: tgz({"../lib64/libkrunfw.so": library(b"x")})},
    "an empty library": {LIBRARY: library_archive(b"")},
    "another ELF file": {LIBRARY: library_archive(elf({".text": (1, b"\x90", 0)}))},
    "no symbol": {LIBRARY: library_archive(library(KERNELS["x86_64"], symbol=b"KERNEL"))},
    "an enormous kernel": {LIBRARY: library_archive(library(b"x", size_bytes=1 << 60))},
    "no kernel": {LIBRARY: library_archive(library(b"\0" * 4096))},
    "another architecture": {LIBRARY: release("aarch64")[f"{VERSION}/libkrunfw-aarch64.tgz"]},
    "its kernel only": {LIBRARY: library_archive(library(KERNELS["aarch64"]))},
    "source without a kernel": {SOURCE: source_archive(b"int main() {}\n")},
    "no source": {SOURCE: tgz({"libkrunfw/Makefile": b""})},
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_archive_is_told_while_inputs_are_chosen(
    build: Build, server: Server, case: str
) -> None:
    server.files.clear()
    server.files.update(BROKEN[case])
    assert build.part().choose() == "unavailable"
    assert len(build.heard.warnings) == 1
    build.mode = "require"
    with pytest.raises(ResolveError, match=r"libkrunfw v5\.2\.1 for x86_64 cannot be had"):
        build.part().choose()
    server.files.clear()
    server.files[LIBRARY] = GOOD  # nothing of it was believed
    assert build.kernel() == KERNELS["x86_64"]


def test_a_bomb_is_put_out(build: Build, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootsmith.pipeline.krun._UNPACKED_MAX_BYTES", 1 << 20)
    server.files[LIBRARY] = tgz({"lib64/libkrunfw.so": bytes(2 << 20)})
    assert build.part().choose() == "unavailable"
    monkeypatch.setattr("bootsmith.pipeline.krun._ARCHIVE_MAX_BYTES", 1000)
    server.files[LIBRARY] = GOOD.ljust(2000, b"\0")
    assert build.part().choose() == "unavailable"
    assert [one.rpartition("is ")[2] for one in build.heard.warnings] == [
        "more than 1048576 bytes",
        "more than 1000 bytes",
    ]


@pytest.mark.parametrize(
    "fault",
    [Fault(status=503), Fault(status=403), Fault(silent=True), Fault(cut_after=20)],
    ids=["busy", "forbidden", "silent", "cut"],
)
def test_a_server_that_fails_is_asked_once(build: Build, server: Server, fault: Fault) -> None:
    server.fail_always("*", fault)
    server.files[SOURCE] = GOOD
    assert build.part().choose() == "unavailable"
    assert server.paths() == [SOURCE]
    (warning,) = build.heard.warnings
    assert "the image gets no kernel for libkrun" in warning
    build.mode = "require"
    with pytest.raises(ResolveError) as caught:
        build.part().choose()
    assert isinstance(caught.value.__cause__, FetchError)
    assert "BOOTSMITH_KRUNFW_MIRROR" in str(caught.value.hint)


def test_a_release_that_is_nowhere(build: Build) -> None:
    build.krun = {"version": "v9.9"}
    assert build.part().choose() == "unavailable"
    build.mode = "require"
    with pytest.raises(PlatformNotFound, match=r"no libkrunfw v9\.9 for x86_64") as caught:
        build.part().choose()
    assert len(caught.value.causes) == 2


def test_off_asks_nobody(build: Build, server: Server) -> None:
    build.mode = "off"
    assert build.part().choose() is None
    assert server.requests == []


def test_offline_without_it(build: Build, server: Server) -> None:
    build.offline = True
    assert build.part().choose() == "unavailable"
    build.mode = "require"
    with pytest.raises(ResolveError, match="was never fetched"):
        build.part().choose()
    assert server.requests == []


def test_what_the_config_says_of_the_archive_is_demanded(build: Build, server: Server) -> None:
    build.krun = {"sha256": ["0" * 64]}
    with pytest.raises(IntegrityError, match=r"not in krun\.sha256") as caught:
        build.part().choose()
    assert caught.value.actual == hashlib.sha256(GOOD).hexdigest()
    build.krun = {"sha256": ["0" * 64, hashlib.sha256(GOOD).hexdigest()]}
    assert build.kernel() == KERNELS["x86_64"]
    # What was believed before it was said what it may be is not believed any more.
    other = library_archive(library(KERNELS["x86_64"] + b"2"))
    server.files[LIBRARY] = other
    build.krun = {"sha256": [hashlib.sha256(other).hexdigest()]}
    assert build.kernel().endswith(b"2")


CHECKS: dict[str, tuple[Callable[[Build, Lock], object], str]] = {
    "required, and the lock has none": (
        lambda build, lock: replace(build, mode="require").part().check(LOCK),
        "without a kernel for libkrun",
    ),
    "off, and the lock has one": (
        lambda build, lock: replace(build, mode="off").part().check(lock),
        "--krun is off",
    ),
    "another release": (
        lambda build, lock: replace(build, krun={"version": "v5.3"}).part().check(lock),
        r"made for libkrunfw v5\.2\.1 for x86_64",
    ),
    "another architecture": (
        lambda build, lock: replace(build, arch=Arch.AARCH64).part().check(lock),
        "v5.2.1 for aarch64",
    ),
    "another archive": (
        lambda build, lock: replace(build, krun={"sha256": ["0" * 64]}).part().check(lock),
        r"not in krun\.sha256",
    ),
}


@pytest.mark.parametrize("case", CHECKS)
def test_a_lock_that_is_another_than_asked_for(build: Build, case: str) -> None:
    lock = LOCK.model_copy(update={"krun": build.part().choose()})
    build.part().check(lock)
    build.part().check(LOCK)
    check, says = CHECKS[case]
    with pytest.raises(ImageError, match=says):
        check(build, lock)


def test_a_locks_archive_without_a_kernel(build: Build) -> None:
    chosen = build.part().choose()
    assert isinstance(chosen, LockedPackage)
    other = build.store.add_blob([tgz({"README": b""})])
    forged = chosen.model_copy(update={"digest": other.digest, "size_bytes": other.size_bytes})
    with pytest.raises(ArchiveError, match=r"holds no lib64/libkrunfw\.so"):
        build.part().kernel(LOCK.model_copy(update={"krun": forged}))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian image with libkrun's kernel; ``release`` beside it is where that is from."""
    if namespace_support().kind == "none":
        unavailable(namespace_support().reason)
    folder = tmp_path_factory.mktemp("krun")
    for path, data in release("x86_64").items():
        (folder / "release" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "release" / path).write_bytes(data)
    debian_images.build(folder / "image", "--krun", "require", *_arch(), env=_served(folder))
    return folder / "image"


def _arch() -> tuple[str, ...]:
    return ("--arch", "x86_64")


def _served(folder: Path) -> dict[str, str]:
    return {"BOOTSMITH_KRUNFW_MIRROR": (folder / "release").as_uri()}


@pytest.mark.network
@pytest.mark.xdist_group("krun-image")
def test_an_image_has_both_files(image: Path) -> None:
    assert (image / "krun-kernel").read_bytes() == KERNELS["x86_64"]
    assert (image / "krun-empty-initrd").read_bytes() == b""
    manifest = json.loads((image / "manifest.json").read_text())
    assert manifest["assets"]["krunKernel"] == "krun-kernel"
    assert manifest["assets"]["krunInitrd"] == "krun-empty-initrd"
    told = manifest["bootsmith"]["krun"]
    assert (told["archive"], told["version"]) == ("libkrunfw-x86_64.tgz", VERSION)
    assert told["pinned"] is False
    assert bootsmith("verify", image).returncode == 0
    again = debian_images.build(image, "--krun", "require", *_arch(), env=_served(image.parent))
    assert "Nothing has changed" in again


@pytest.mark.network
@pytest.mark.xdist_group("krun-image")
def test_its_lock_is_enough_and_another_makes_none(image: Path, tmp_path: Path) -> None:
    lock = image / "bootsmith.lock.json"
    debian_images.build(tmp_path / "again", "--offline", "--lock", lock, *_arch())
    assert (tmp_path / "again/manifest.json").read_bytes() == (image / "manifest.json").read_bytes()
    fields = json.loads(lock.read_text())
    (tmp_path / "lock.json").write_text(json.dumps({**fields, "krun": "unavailable"}))
    debian_images.build(image, "--offline", "--lock", tmp_path / "lock.json", *_arch(),
                        "--output", tmp_path / "without")  # fmt: skip
    assert not (tmp_path / "without/krun-kernel").exists()
    told = json.loads((tmp_path / "without/manifest.json").read_text())
    assert told["bootsmith"]["krun"] == "unavailable"
    ours = json.loads((image / "manifest.json").read_text())
    assert told["buildId"] != ours["buildId"]
    assert told["bootsmith"]["planId"] != ours["bootsmith"]["planId"]


@pytest.mark.network
@pytest.mark.xdist_group("krun-image")
@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("krun-kernel", b"\xfc" + KERNELS["x86_64"][1:-1] + b"x", "checksums.krunKernel"),
        ("krun-empty-initrd", b"not empty", "krunInitrd"),
        ("krun-kernel", None, "assets.krunKernel: krun-kernel is missing"),
    ],
)
def test_a_spoilt_one_is_found(
    image: Path, tmp_path: Path, name: str, data: bytes | None, says: str
) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(image, spoilt, copy_function=shutil.copyfile)
    (spoilt / name).unlink()
    if data is not None:
        (spoilt / name).write_bytes(data)
    done = bootsmith("verify", spoilt)
    assert done.returncode == 1
    assert says in done.stderr.decode()


@pytest.mark.network
@pytest.mark.xdist_group("krun-image")
def test_the_library_carries_it(image: Path, tmp_path: Path) -> None:
    env = {"BOOTSMITH_IMAGE_STORE": str(tmp_path / "library")}
    assert bootsmith("image", "import", image, "--tag", "krun:1", env=env).returncode == 0
    shown = bootsmith("image", "inspect", "krun:1", env=env).stdout.decode()
    assert "krun-kernel" in shown
    archive = tmp_path / "image.tar"
    done = bootsmith("image", "export", "krun:1", archive, env=env)
    assert done.returncode == 0, done.stderr
    other = {"BOOTSMITH_IMAGE_STORE": str(tmp_path / "other")}
    done = bootsmith("image", "import", archive, "--tag", "krun:2", env=other)
    assert done.returncode == 0, done.stderr
    (kernel,) = (tmp_path / "other").glob("objects/*/krun-kernel")
    assert kernel.read_bytes() == KERNELS["x86_64"]

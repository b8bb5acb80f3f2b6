"""Alpine images: from a mirror on loopback to a guest that answers, the same bytes each time."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootsmith.host.files import FileSource
from bootsmith.host.namespaces import namespace_support
from bootsmith.image.ext4 import Ext4Reader
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import display, guest_path, name, parent
from bootsmith.plan.alpine import BASE
from bootsmith.sdk.image import Image
from bootsmith.sdk.vm import VM
from bootsmith.tree.file_tree import FileTree
from tests.support.alpine_mirrors import (
    KEY,
    AlpineMirror,
    generated_mirror,
    linux_virt,
    real_mirror,
)
from tests.support.alpine_repository import repository
from tests.support.apk_differences import differences, owners_in_place
from tests.support.debian_images import bootsmith
from tests.support.http_server import Fault
from tests.support.judges import judge, require, unavailable
from tests.support.ordinary_user import ordinary_user
from tests.support.real_alpine import RealApk, real_repository
from tests.support.start_up import found_in, loaded_by

pytestmark = [
    pytest.mark.network,  # where the kernel is not cached yet
    pytest.mark.boot,
    pytest.mark.xdist_group("alpine-build"),  # one image for all of them
]

COMMANDS = ["mkdir -p /opt/made", "apk info | sort > /opt/made/packages"]
WANTED = {
    "generated": ("linux-virt", "hello"),
    "real": ("linux-virt", "alpine-base", "openssh"),
}
TO_BUILD_WITH = (
    "rich", "lz4", "cbor2", "bootsmith.vm", "bootsmith.host.namespaces", "bootsmith.host.sandbox",
    "bootsmith.image.ext4", "bootsmith.image.initramfs", "bootsmith.image.kernel_modules",
    "bootsmith.pipeline.artifacts", "bootsmith.pipeline.boot_layer", "bootsmith.pipeline.kept",
    "bootsmith.pipeline.verify", "bootsmith.sources.alpine.install", "bootsmith.sources.debian.deb",
)  # fmt: skip
_BUILD = """
import sys
from pathlib import Path
from bootsmith.cli.main import main
sys.argv = ["bootsmith", "build", *sys.argv[1:]]
main()
"""


@dataclass(frozen=True, slots=True)
class Built:
    """A mirror, a config for it, and the image that was made."""

    mirror: AlpineMirror
    config: Path
    image: Path
    store: Path

    def build(self, config: Path, output: Path, *words: str | Path) -> tuple[int, str]:
        """The exit status of ``bootsmith build`` and what it said."""
        env = {"BOOTSMITH_CACHE_DIR": str(self.store)}
        done = bootsmith("build", "-c", config, "-o", output, *words, env=env)
        return done.returncode, (done.stdout + done.stderr).decode()


@pytest.fixture(scope="module", params=["generated", "real"])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    if namespace_support().kind == "none":
        unavailable(namespace_support().reason)
    folder = tmp_path_factory.mktemp(request.param)
    offered = {"generated": generated_mirror, "real": real_mirror}[request.param]
    with offered(folder / "mirror") as mirror:
        config = mirror.config(*WANTED[request.param], postBuild={"commands": COMMANDS})
        made = Built(mirror, config, folder / "image", folder / "store")
        status, said = made.build(config, made.image)
        assert status == 0, said
        yield made


@pytest.fixture(scope="module")
def vm(built: Built) -> Iterator[VM]:
    require("qemu-system-x86_64")
    with VM(Image.open(built.image)) as running:
        yield running


def test_it_boots_and_has_what_was_asked_for(built: Built, vm: VM) -> None:
    assert "ID=alpine" in vm.exec("cat /etc/os-release").stdout
    installed = vm.exec("apk info 2>/dev/null | sort").stdout.split()
    assert {"alpine-baselayout", "busybox", "linux-virt"} <= set(installed)
    assert vm.exec("cat /opt/made/packages").stdout.split() == installed
    if "hello" in installed:
        assert vm.exec("hello").stdout == "hello from 4711\n"
    else:
        assert "OpenSSH_9.6" in vm.exec("sshd -V 2>&1").stdout
        assert vm.exec("apk audit --system 2>/dev/null").stdout == ""
        assert "OK: " in vm.exec("apk fix --simulate --no-network 2>/dev/null").stdout


def test_the_guests_own_apk_installs_more_and_removes_it(built: Built, vm: VM) -> None:
    if "kernel" not in built.mirror.alpine.get("repositories", ()):
        pytest.skip("the generated mirror has an apk of its own")
    before = vm.exec("apk info -v 2>/dev/null | sort").stdout
    port = built.mirror.server.url.rstrip("/").rpartition(":")[2]
    vm.write_file("/run/repositories", f"http://10.0.2.2:{port}/v3.19/main\n".encode())
    added = vm.exec("apk add --no-cache --repositories-file /run/repositories doas 2>&1")
    assert added.exit_code == 0, added.stdout
    assert "Installing doas" in added.stdout
    assert vm.exec("apk info -e doas; apk audit --system").stdout == "doas\n"
    assert vm.exec("test -u /usr/bin/doas").exit_code == 0
    assert vm.exec("apk del --repositories-file /run/repositories doas").exit_code == 0
    assert vm.exec("apk info -v 2>/dev/null | sort").stdout == before


def test_the_kernels_modules_are_there_once(vm: VM) -> None:
    release = vm.exec("uname -r").stdout.strip()
    assert vm.exec("ls /lib/modules").stdout.split() == [release]
    found = vm.exec("find /lib/modules -name 'loop.ko*'").stdout.split()
    assert len(found) == 1
    assert vm.exec("grep -c '^fuse ' /proc/modules").stdout == "1\n"  # what init loads


@pytest.mark.judge
def test_the_root_file_system_has_nothing_to_repair(built: Built) -> None:
    judge("e2fsck", "-fn", built.image / "rootfs.ext4")


@pytest.mark.judge
@pytest.mark.root
def test_its_tree_is_what_apk_installs(built: Built, tmp_path: Path) -> None:
    """Types, owners, modes, links, contents and database, all but what docs/alpine.md lists."""
    if "kernel" not in built.mirror.alpine.get("repositories", ()):
        pytest.skip("the generated mirror has an apk of its own")
    apk = RealApk.unpack(tmp_path / "minirootfs")
    apk.trust(KEY)
    apk.offer_folder("real", real_repository())
    apk.offer("kernel", repository([linux_virt()], key=KEY))
    root = apk.install([*BASE, *WANTED["real"]], ["/real", "/kernel"])
    installed = root / "lib/apk/db/installed"
    installed.write_text(owners_in_place(installed.read_text()))
    with FileSource(built.image / "rootfs.ext4") as image:
        blob = Digest.of(b"image")
        tree = Ext4Reader(image).read_tree(blob)
        found = list(differences(root, tree, _Image(blob, image)))
    ours = ["etc/bootsmith", "init", "lost+found", "opt/made", "usr/bin/sandbox"]
    ours += ["usr/lib/bootsmith", f"lib/modules/{_release(tree)}/modules."]
    assert [one for one in found if not one.startswith(tuple(ours))] == [
        "etc/apk/keys/tests@example.org-1.rsa.pub: only ours",
        "etc/apk/repositories: only ours",
        "etc/hostname: content",
    ]


def _release(tree: FileTree) -> str:
    (folder,) = (path for path in tree if parent(path) == guest_path("lib/modules"))
    return display(name(folder))


@dataclass(frozen=True, slots=True)
class _Image:
    blob: Digest
    source: FileSource

    def open_blob(self, blob: Digest) -> FileSource:
        assert blob == self.blob
        return self.source


def test_the_lock_names_every_input(built: Built) -> None:
    lock = json.loads((built.image / "bootsmith.lock.json").read_text())
    assert lock["distro"] == "alpine"
    assert all(one["signedBy"] for one in lock["repositories"])
    assert "127.0.0.1" not in json.dumps(lock)
    for one in (*lock["packages"], lock["kernel"]):
        data = built.mirror.server.files[one["path"]]
        assert one["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_nothing_is_done_twice(built: Built) -> None:
    assert "Nothing has changed" in built.build(built.config, built.image)[1]


def test_a_build_that_finds_nothing_changed_loads_nothing_to_build_with(built: Built) -> None:
    build = ("build", "-c", built.config, "-o", built.image)
    env = {"BOOTSMITH_CACHE_DIR": str(built.store)}
    loaded, said = loaded_by(*build, env=env)
    assert "Nothing has changed" in said
    assert "bootsmith.sources.alpine.solver" in loaded
    assert found_in(loaded, TO_BUILD_WITH) == []
    assert found_in(loaded, ("bootsmith.pipeline.alpine_minirootfs",)) == []  # no config of these
    loaded, said = loaded_by(*build, "--offline", env=env)
    assert "Nothing has changed" in said
    assert found_in(loaded, ("urllib3", "http.client", "ssl")) == []


def test_a_lock_is_enough_and_nobody_is_asked(built: Built, tmp_path: Path) -> None:
    asked = len(built.mirror.server.requests)
    lock = built.image / "bootsmith.lock.json"
    status, said = built.build(built.config, tmp_path / "image", "--lock", lock)
    assert status == 0, said
    assert len(built.mirror.server.requests) == asked
    assert digests(tmp_path / "image") == digests(built.image)


@pytest.mark.root
def test_another_user_and_store_make_the_same_bytes(built: Built, tmp_path: Path) -> None:
    with ordinary_user("bootsmith-alpine") as user:
        if user.name is None:
            pytest.skip("needs root, to be two users")
        built.mirror.folder.chmod(0o755)
        home = Path(
            user.run(
                "from pathlib import Path; print(Path('~').expanduser())",
                env={"HOME": f"/home/{user.name}"},
            ).stdout.strip()
        )
        config = home / "config.json"
        fields = json.loads(built.config.read_text())
        fields["alpine"]["keys"] = [str(home / name) for name in fields["alpine"]["keys"]]
        config.write_text(json.dumps(fields))
        for name in fields["alpine"]["keys"]:
            Path(name).write_bytes((built.mirror.folder / Path(name).name).read_bytes())
        done = user.run(
            _BUILD, "-c", config, "-o", home / "image", umask=0o077,
            env={"HOME": str(home), "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        made = digests(home / "image")
    ours = digests(built.image)
    # The config, which names the keys' places, stands in the manifest.
    assert {**made, "manifest.json": ""} == {**ours, "manifest.json": ""}


def test_a_misspelt_package_stops_before_anything_is_fetched(built: Built, tmp_path: Path) -> None:
    config = built.mirror.config("linux-virt", "busibox", name="misspelt.json")
    asked = len(built.mirror.server.requests)
    status, said = built.build(config, tmp_path / "image")
    assert status == 1
    assert "did you mean busybox" in said
    assert not [one for one in built.mirror.server.paths()[asked:] if one.endswith(".apk")]
    assert not (tmp_path / "image").exists()


@pytest.mark.parametrize(
    ("alpine", "says"),
    [
        ({"repositories": ["main", "no-such"]}, ("no-such", "has no index for x86_64")),
        ({"mirror": "http://127.0.0.1:1/alpine"}, ("cannot be reached", "--preset debian")),
        ({"keys": []}, ("not signed by a trusted key",)),
        (
            {"kernelPackage": "linux-vrt"},
            ("no kernel package linux-vrt", "did you mean linux-virt"),
        ),
        ({"kernelImage": "vmlinuz-lts"}, ("no boot/vmlinuz-lts", "boot/vmlinuz-virt")),
    ],
    ids=["index", "mirror", "key", "kernel-package", "kernel-image"],
)
def test_what_cannot_be_had_is_said(
    built: Built, alpine: dict[str, object], says: tuple[str, ...], tmp_path: Path
) -> None:
    config = built.mirror.config(
        "linux-virt", name="bad.json", alpine=alpine, postBuild={"commands": ["exit 9"]}
    )
    status, said = built.build(config, tmp_path / "image")
    assert status == 1
    for text in says:
        assert text in said
    assert not (tmp_path / "image").exists()


def test_a_command_that_fails_is_told_with_its_place_and_its_end(
    built: Built, tmp_path: Path
) -> None:
    commands = ["echo fine", "seq 100\necho 'no way' >&2; exit 7", "echo never"]
    config = built.mirror.config(
        *WANTED["generated"][:1], name="failing.json", postBuild={"commands": commands}
    )
    status, said = built.build(config, tmp_path / "image", "--quiet", "--krun", "off")
    assert status == 1
    assert said.splitlines() == [
        "error: postBuild.commands[1] (2 of 3) failed with status 7:",
        "  seq 100",
        "  echo 'no way' >&2; exit 7",
        "and last printed:",
        *map(str, range(82, 101)),
        "no way",
    ]
    assert not (tmp_path / "image").exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)  # everything that a package brings to be run is emulated
def test_a_virtual_machine_makes_the_same_bytes(built: Built, tmp_path: Path) -> None:
    """The scripts and commands of the same lock, run by the image's own kernel."""
    require("qemu-system-x86_64")
    asked = len(built.mirror.server.requests)
    store = tmp_path / "store"
    shutil.copytree(built.store / "blobs", store / "blobs")  # not the layers that scripts made
    other = Built(built.mirror, built.config, built.image, store)
    status, said = other.build(
        built.config, tmp_path / "image", "--executor", "vm",
        "--lock", built.image / "bootsmith.lock.json", "--offline",
    )  # fmt: skip
    assert status == 0, said
    assert "Configuring the packages" in said
    assert "Running apk info" in said
    assert len(built.mirror.server.requests) == asked
    assert digests(tmp_path / "image") == digests(built.image)


def test_a_tampered_package_is_refused(built: Built, tmp_path: Path) -> None:
    lock = json.loads((built.image / "bootsmith.lock.json").read_text())
    path = next(one["path"] for one in lock["packages"] if one["name"] == "busybox")
    good = built.mirror.server.files[path]
    built.mirror.server.fail_always(path, Fault(replace_with=good[:-9] + b"x" + good[-8:]))
    try:
        other = Built(built.mirror, built.config, built.image, tmp_path / "store")
        status, said = other.build(built.config, tmp_path / "image")
        assert (status, "busybox" in said) == (1, True), said
        locked = other.build(
            built.config, tmp_path / "image", "--lock", built.image / "bootsmith.lock.json"
        )
        assert (locked[0], "sha256:" in locked[1]) == (1, True), locked[1]
    finally:
        built.mirror.server.heal()


def test_a_kernel_that_is_not_installed_brings_its_modules(built: Built, tmp_path: Path) -> None:
    config = built.mirror.config(name="without.json", kernel={"modules": "default"})
    status, said = built.build(config, tmp_path / "image")
    assert status == 0, said
    listed = judge("debugfs", "-R", "ls -p /lib/modules", tmp_path / "image/rootfs.ext4")
    assert "cloud" in listed
    assert "vmlinuz" not in judge("debugfs", "-R", "ls -p /boot", tmp_path / "image/rootfs.ext4")


def test_packages_for_the_initramfs(built: Built, tmp_path: Path) -> None:
    config = built.mirror.config(
        "linux-virt", name="initramfs.json", alpine={"initramfsPackages": ["busybox"]}
    )
    status, said = built.build(config, tmp_path / "image")
    assert status == 0, said
    packed = (tmp_path / "image/initramfs.cpio.lz4").stat().st_size
    assert packed > (built.image / "initramfs.cpio.lz4").stat().st_size + 200_000
    with VM(Image.open(tmp_path / "image")) as running:
        assert running.exec("true").exit_code == 0


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found

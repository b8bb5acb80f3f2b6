"""Whole Alpine mirrors on loopback: the real packages with a kernel, and one made on the spot.

A mirror holds a signed kernel of Debian's in Alpine's form, since there is no real one beside us.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from bootsmith.host.environment import host_arch
from bootsmith.image.boot_modules import guest_modules
from bootsmith.image.kernel_modules import KernelModules
from bootsmith.model.arch import Arch
from bootsmith.model.guest_path import display
from bootsmith.model.streams import BlobSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import RegularFile
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import overlay
from tests.support.alpine_repository import (
    Apk,
    Dir,
    File,
    Item,
    Link,
    SigningKey,
    apk,
    repository,
)
from tests.support.debian_files import debian_files
from tests.support.debian_kernel import kernel_package
from tests.support.foreign_debian import foreign_debian
from tests.support.http_server import Server, serve
from tests.support.real_alpine import real_repository

KEY = SigningKey.generate()

_PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
_GROUP = b"root:x:0:root\nnobody:x:65534:\n"
_SHADOW = b"root:*::0:::::\nnobody:!::0:::::\n"
_FOLDERS = ("bin", "dev", "etc", "home", "lib", "proc", "root", "run", "sbin", "sys", "tmp",
            "usr/bin", "usr/lib", "usr/sbin", "var/log", "var/tmp")  # fmt: skip
_LINKS = b"#!/bin/busybox sh\n/bin/busybox --install -s\n"
_APK = b"#!/bin/sh\n# Only what a test asks.\nsed -n 's/^P://p' /lib/apk/db/installed\n"
_ADD_USER = b"#!/bin/sh\necho 'hello:x:4711:4711::/:/sbin/nologin' >>/etc/passwd\n"


@dataclass(frozen=True, slots=True)
class AlpineMirror:
    """A mirror that is served; ``folder`` holds its key and is where configs are written."""

    server: Server
    folder: Path
    alpine: Mapping[str, Any]

    def config(self, *packages: str, name: str = "config.json", **fields: Any) -> Path:
        """A config for this mirror.  ``alpine`` fields may be overridden in ``fields``."""
        alpine = {
            "mirror": self.server.url.rstrip("/"),
            "keys": [KEY.name],
            "rootfsPackages": list(packages),
            **self.alpine,
            **fields.pop("alpine", {}),
        }
        path = self.folder / name
        path.write_text(json.dumps({"distro": "alpine", "alpine": alpine, **fields}))
        return path

    def adapted(self, fields: Mapping[str, Any]) -> Path:
        """A copy of the config ``fields`` that takes its packages from here."""
        alpine = {
            **fields.get("alpine", {}),
            "mirror": self.server.url.rstrip("/"),
            "keys": [KEY.name],
        }
        path = self.folder / "adapted.json"
        path.write_text(json.dumps({**fields, "alpine": alpine}))
        return path


@contextmanager
def real_mirror(folder: Path) -> Iterator[AlpineMirror]:
    """The 100 real packages of 3.19 (``main``) and a kernel (``kernel``)."""
    real = real_repository()
    files = {
        f"v3.19/main/{path.relative_to(real)}": path.read_bytes()
        for path in real.rglob("*")
        if path.is_file()
    }
    files |= repository([linux_virt()], key=KEY, path="v3.19/kernel")
    alpine = {"version": "3.19.1", "repositories": ["main", "kernel"]}
    with _served(files, folder, alpine) as mirror:
        yield mirror


@contextmanager
def generated_mirror(
    folder: Path, *, community: Sequence[Apk] | None = None, arch: Arch = Arch.X86_64
) -> Iterator[AlpineMirror]:
    """A small distribution in Alpine's form, of Debian's own busybox and kernel.

    ``community`` are the packages beside the base, the kernel's among them.
    """
    if community is None:
        community = [linux_virt(), _hello(), apk(name="openssh")]
    files = repository(_base(arch), key=KEY, path="v3.23/main", arch=arch.apk)
    files |= repository(community, key=KEY, path="v3.23/community", arch=arch.apk)
    with _served(files, folder, {}) as mirror:
        yield mirror


@cache
def linux_virt(arch: Arch = Arch.X86_64, *, modules: Literal["all", "default"] = "all") -> Apk:
    """Debian's kernel as Alpine would package it, with all ``modules`` or with our choice."""
    tree, blobs = _kernel(arch)
    chosen = guest_modules(KernelModules(tree, blobs=blobs), selection=modules)
    files: dict[str, bytes] = {
        display(path): read_content(entry.content, blobs=blobs)
        for path, entry in chosen.members
        if isinstance(entry, RegularFile) and not path.endswith(b"modules.load")
    }
    (kernel,) = (
        content for path, content in _files(tree, blobs).items() if path.startswith("boot/vmlinuz")
    )
    files["boot/vmlinuz-virt"] = kernel
    files = {
        f"{path}.gz" if path.endswith(".ko") else path: _packed(path, content)
        for path, content in files.items()
        if not path.endswith("/modules.dep.bin")  # says the same, and would be wrong now
    }
    (listed,) = (path for path in files if path.endswith("/modules.dep"))
    files[listed] = re.sub(rb"\.ko\b", b".ko.gz", files[listed])
    return apk(name="linux-virt", version="6.1.0-r0", arch=arch.apk, files=files, key=KEY)


def _kernel(arch: Arch) -> tuple[FileTree, BlobSource]:
    if arch is host_arch():
        ours = kernel_package()
        return ours.tree, ours
    foreign = foreign_debian(arch, Path())
    return foreign.kernel, foreign.store


def _busybox(arch: Arch) -> tuple[FileTree, BlobSource]:
    if arch is host_arch():
        ours = debian_files("busybox-static")
        return ours.tree, ours
    foreign = foreign_debian(arch, Path())
    return overlay(FileTree(), foreign.busybox), foreign.store


def _packed(path: str, content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0) if path.endswith(".ko") else content


@contextmanager
def _served(
    files: Mapping[str, bytes], folder: Path, alpine: Mapping[str, Any]
) -> Iterator[AlpineMirror]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KEY.name).write_bytes(KEY.public)
    with serve(files) as server:
        yield AlpineMirror(server, folder, alpine)


def _base(arch: Arch) -> list[Apk]:
    program = next(
        content for path, content in _files(*_busybox(arch)).items() if path.endswith("bin/busybox")
    )
    layout: dict[str, Item] = {
        path: Dir(0o1777 if path.endswith("tmp") else 0o755) for path in _FOLDERS
    }
    layout |= {
        "etc/group": _GROUP,
        "etc/passwd": _PASSWD,
        "etc/shadow": File(_SHADOW, 0o640),
        "etc/os-release": b"ID=alpine\nVERSION_ID=3.23.0\n",
    }
    name = arch.apk
    return [
        apk(name="alpine-baselayout", arch=name, files=layout),
        apk(name="alpine-keys", arch=name, files={f"etc/apk/keys/{KEY.name}": KEY.public}),
        apk(name="apk-tools", arch=name, files={"sbin/apk": File(_APK, 0o755)}, depends="/bin/sh"),
        apk(
            name="busybox",
            arch=name,
            version="1.35.0-r0",
            files={"bin/busybox": File(program, 0o755), "bin/sh": Link("/bin/busybox")},
            provides="/bin/sh cmd:sh=1.35.0-r0",
            depends="alpine-baselayout",
            scripts={"post-install": _LINKS},
        ),
        apk(name="libc-utils", arch=name),
    ]


def _hello() -> Apk:
    return apk(
        name="hello",
        depends="busybox",
        files={"usr/bin/hello": File(b"#!/bin/sh\necho hello from $(id -u hello)\n", 0o4755)},
        scripts={"pre-install": _ADD_USER},
    )


def _files(tree: FileTree, blobs: BlobSource) -> dict[str, bytes]:
    return {
        display(path): read_content(entry.content, blobs=blobs)
        for path, entry in tree.items()
        if isinstance(entry, RegularFile)
    }

"""An Alpine mirror on loopback: the real packages of 3.19, a kernel, and the minirootfs.

They are signed by a key of the run, since the kernel is Debian's in Alpine's form.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.alpine_mirrors import linux_virt
from tests.support.alpine_repository import SigningKey, index, signed_index
from tests.support.http_server import serve
from tests.support.real_alpine import real_repository

from bootsmith.model.streams import BytesSource
from bootsmith.sources.alpine.gzip_members import read_member
from bootsmith.sources.alpine.metadata_tar import read_files

VERSION = "3.19.4"
ROOTFS = {"sizeMb": 128}
_BRANCH = "v3.19"
_KEY = SigningKey.generate()
_MOST_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class AlpineMirror:
    """``url`` is the mirror's, ``key`` the file with the key its index is signed by."""

    url: str
    key: Path

    def alpine(self, *packages: str) -> dict[str, Any]:
        """The part of a config that both builders understand."""
        return {
            "version": VERSION,
            "mirror": self.url,
            "rootfsPackages": list(packages),
            "initramfsPackages": [],
        }

    def config(self, *packages: str, rootfs: Mapping[str, Any] = ROOTFS) -> str:
        """The config, with what we need besides: the key."""
        return json.dumps(
            {
                "arch": "x86_64",
                "distro": "alpine",
                "alpine": {**self.alpine(*packages), "keys": [str(self.key)]},
                "rootfs": rootfs,
            }
        )


@contextmanager
def alpine_mirror(folder: Path) -> Iterator[AlpineMirror]:
    """Serve it; ``folder`` gets the key.  Raises pytest's Skipped where the real packages are
    not."""
    real = real_repository()
    kernel = linux_virt()
    main = f"{_BRANCH}/main/x86_64"
    text = _index_text(real / "x86_64/APKINDEX.tar.gz") + b"\n" + index([kernel])
    files = {
        **{f"{main}/{path.name}": path.read_bytes() for path in (real / "x86_64").glob("*.apk")},
        f"{_BRANCH}/main/{kernel.filename}": kernel.data,
        f"{main}/APKINDEX.tar.gz": signed_index(text, key=_KEY),
        f"{_BRANCH}/community/x86_64/APKINDEX.tar.gz": signed_index(b"", key=_KEY),
    }
    folder.mkdir(parents=True)
    key = folder / _KEY.name
    key.write_bytes(_KEY.public)
    with serve(files) as server:
        url = server.url.rstrip("/")
        name = f"alpine-minirootfs-{VERSION}-x86_64.tar.gz"
        server.files[f"{_BRANCH}/releases/x86_64/{name}"] = _minirootfs(real.parent / name, url)
        yield AlpineMirror(url, key)


def _index_text(path: Path) -> bytes:
    """The index of the real repository, without its signature."""
    data = BytesSource(path.read_bytes())
    end = read_member(data, 0, most_bytes=_MOST_BYTES).end
    files = read_files(read_member(data, end, most_bytes=_MOST_BYTES).data)
    return next(file.content for file in files if file.name == "APKINDEX").rstrip(b"\n") + b"\n"


def _minirootfs(path: Path, url: str) -> bytes:
    """A copy that names this mirror: Gondolin's builder asks those that stand in it."""
    repositories = f"{url}/{_BRANCH}/main\n{url}/{_BRANCH}/community\n".encode()
    packed = io.BytesIO()
    with tarfile.open(path) as source, tarfile.open(fileobj=packed, mode="w:gz") as target:
        for member in source:
            content = source.extractfile(member) if member.isfile() else None
            if member.name.removeprefix("./") == "etc/apk/repositories":
                member.size, content = len(repositories), io.BytesIO(repositories)
            target.addfile(member, content)
    return packed.getvalue()

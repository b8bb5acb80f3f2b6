"""An Alpine mirror on loopback: the real packages of 3.19, a kernel, and the minirootfs.

They are signed by a key of the run, since the kernel is Debian's in Alpine's form.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.alpine_mirrors import linux_virt
from tests.support.alpine_repository import SigningKey, index, signed_index
from tests.support.real_alpine import real_repository

from bootsmith.model.streams import BytesSource
from bootsmith.sources.alpine.gzip_members import read_member
from bootsmith.sources.alpine.metadata_tar import read_files

VERSION = "3.19.4"
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

    def config(self, *packages: str) -> str:
        """The config, with what we need besides: the key."""
        return json.dumps(
            {
                "arch": "x86_64",
                "distro": "alpine",
                "alpine": {**self.alpine(*packages), "keys": [str(self.key)]},
            }
        )


@contextmanager
def alpine_mirror(folder: Path) -> Iterator[AlpineMirror]:
    """Serve it from ``folder``.  Raises pytest's Skipped where the real packages are not."""
    real = real_repository()
    main = folder / _BRANCH / "main/x86_64"
    main.mkdir(parents=True)
    for path in (real / "x86_64").glob("*.apk"):
        (main / path.name).symlink_to(path)
    kernel = linux_virt()
    (folder / _BRANCH / "main" / kernel.filename).write_bytes(kernel.data)
    text = _index_text(real / "x86_64/APKINDEX.tar.gz") + b"\n" + index([kernel])
    (main / "APKINDEX.tar.gz").write_bytes(signed_index(text, key=_KEY))
    community = folder / _BRANCH / "community/x86_64"
    community.mkdir(parents=True)
    (community / "APKINDEX.tar.gz").write_bytes(signed_index(b"", key=_KEY))
    key = folder / _KEY.name
    key.write_bytes(_KEY.public)
    with _served(folder) as url:
        _write_minirootfs(real.parent, folder, url)
        yield AlpineMirror(url, key)


def _index_text(path: Path) -> bytes:
    """The index of the real repository, without its signature."""
    data = BytesSource(path.read_bytes())
    end = read_member(data, 0, most_bytes=_MOST_BYTES).end
    files = read_files(read_member(data, end, most_bytes=_MOST_BYTES).data)
    return next(file.content for file in files if file.name == "APKINDEX").rstrip(b"\n") + b"\n"


def _write_minirootfs(real: Path, folder: Path, url: str) -> None:
    """A copy that names this mirror: Gondolin's builder asks those that stand in it."""
    name = f"alpine-minirootfs-{VERSION}-x86_64.tar.gz"
    place = folder / _BRANCH / "releases/x86_64"
    place.mkdir(parents=True)
    repositories = f"{url}/{_BRANCH}/main\n{url}/{_BRANCH}/community\n".encode()
    with tarfile.open(real / name) as source, tarfile.open(place / name, "w:gz") as target:
        for member in source:
            content = source.extractfile(member) if member.isfile() else None
            if member.name.removeprefix("./") == "etc/apk/repositories":
                member.size, content = len(repositories), io.BytesIO(repositories)
            target.addfile(member, content)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """A server of its own process, so that it takes nothing from the bench's."""
    argv = [
        sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1",
        "--protocol", "HTTP/1.1", "--directory", str(folder), "0",
    ]  # fmt: skip
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split(" port ")[1].split()[0]
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()

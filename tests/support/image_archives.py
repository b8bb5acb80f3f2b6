"""Archives of images as other programs make them, and as attackers do."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path


def file_member(name: str, data: bytes = b"") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    return member, data


def link_member(name: str, target: str, *, hard: bool = False) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
    member.linkname = target
    return member, b""


def other_member(name: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type = kind
    return member, b""


def archive(
    folder: Path | None = None,
    *,
    prefix: str = "",
    before: Iterable[tuple[tarfile.TarInfo, bytes]] = (),
    after: Iterable[tuple[tarfile.TarInfo, bytes]] = (),
) -> bytes:
    """A tar of the files in ``folder``, between other members; ``prefix`` before their names."""
    files = sorted(folder.iterdir()) if folder else []
    own = [file_member(prefix + path.name, path.read_bytes()) for path in files]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, data in (*before, *own, *after):
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=1, mtime=0)

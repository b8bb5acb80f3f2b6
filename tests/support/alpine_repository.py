"""An Alpine repository made on the spot: real .apk files, a real index, a real signature.

::

    key = SigningKey.generate()
    files = repository([apk(name="hello"), apk(name="libhello", version="2")], key=key)
    with serve(files) as server:
        ...
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

EPOCH = 1_700_000_000
ARCH = "x86_64"

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "RSA": hashes.SHA1(),
    "RSA256": hashes.SHA256(),
    "RSA512": hashes.SHA512(),
}


class Dir(NamedTuple):
    """A directory; owners are names as an archive has them, with the numbers beside."""

    mode: int = 0o755
    user: str = "root"
    group: str = "root"
    uid: int = 0
    gid: int = 0


class File(NamedTuple):
    data: bytes = b""
    mode: int = 0o644
    user: str = "root"
    group: str = "root"
    uid: int = 0
    gid: int = 0
    xattrs: tuple[tuple[str, bytes], ...] = ()


class Link(NamedTuple):
    """A symbolic link."""

    target: str


class Hard(NamedTuple):
    """A hard link to a file of the same package."""

    target: str


class Node(NamedTuple):
    """A character device."""

    major: int
    minor: int
    mode: int = 0o600


Item = bytes | Dir | File | Link | Hard | Node


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key by its name in signatures."""

    name: str
    secret: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    @cache
    def generate(cls, name: str = "tests@example.org-1.rsa.pub") -> SigningKey:
        """A key of its own for each name."""
        return cls(name, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @property
    def public(self) -> bytes:
        """The public key in PEM form."""
        return self.secret.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def signature(self, data: bytes, *, kind: str = "RSA", name: str | None = None) -> bytes:
        """The gzip member that stands before the signed ``data``."""
        signed = self.secret.sign(data, padding.PKCS1v15(), _HASHES[kind])
        return member({f".SIGN.{kind}.{name or self.name}": signed}, is_last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apk:
    """An .apk file and the letters that describe it in an index."""

    fields: Mapping[str, str]
    data: bytes

    @property
    def filename(self) -> str:
        return f"{self.fields['A']}/{self.fields['P']}-{self.fields['V']}.apk"


def apk(
    *,
    name: str,
    version: str = "1.0-r0",
    arch: str = ARCH,
    files: Mapping[str, Item] | None = None,
    scripts: Mapping[str, bytes] | None = None,
    depends: str = "",
    provides: str = "",
    install_if: str = "",
    priority: int = 0,
    origin: str | None = None,
    info: Mapping[str, Sequence[str]] | None = None,
    key: SigningKey | None = None,
    data: bytes | None = None,
    datahash: str | None = None,
) -> Apk:
    """A package.  ``files`` are its contents in order, missing directories are added in front.

    ``info`` are further lines of ``.PKGINFO`` (``replaces``, ``triggers`` …); ``data`` replaces
    the third gzip member, and ``datahash`` what the second says of it; for malformed ones.
    """
    payload = member_of_tar(data_tar(files or {})) if data is None else data
    size = max(1, sum(len(_bytes_of(item)) for item in (files or {}).values())) + 4096
    lines: dict[str, Sequence[str]] = {
        "pkgname": [name],
        "pkgver": [version],
        "pkgdesc": [f"{name} for tests"],
        "url": ["https://example.org"],
        "builddate": [str(EPOCH)],
        "size": [str(size)],
        "arch": [arch],
        "origin": [origin or name],
        "license": ["MIT"],
        "depend": depends.split(),
        "provides": provides.split(),
        "install_if": install_if.split(),
        "provider_priority": [str(priority)] if priority else [],
        "datahash": [datahash or hashlib.sha256(payload).hexdigest()],
        **(info or {}),
    }
    text = "".join(f"{key} = {value}\n" for key, values in lines.items() for value in values)
    control = member(
        {".PKGINFO": text.encode(), **{f".{kind}": body for kind, body in (scripts or {}).items()}},
        is_last=False,
    )
    whole = (key.signature(control) if key else b"") + control + payload
    letters = {
        "C": "Q1" + base64.b64encode(hashlib.sha1(control).digest()).decode(),
        "P": name,
        "V": version,
        "A": arch,
        "S": str(len(whole)),
        "I": str(size),
        "T": f"{name} for tests",
        "U": "https://example.org",
        "L": "MIT",
        "o": origin or name,
        "t": str(EPOCH),
        **({"D": depends} if depends else {}),
        **({"p": provides} if provides else {}),
        **({"i": install_if} if install_if else {}),
        **({"k": str(priority)} if priority else {}),
    }
    return Apk(fields=letters, data=whole)


def index(apks: Iterable[Apk]) -> bytes:
    """The text of an APKINDEX."""
    return b"".join(
        "".join(f"{letter}:{value}\n" for letter, value in one.fields.items()).encode() + b"\n"
        for one in apks
    )


def signed_index(text: bytes, *, key: SigningKey | None, kind: str = "RSA") -> bytes:
    """An APKINDEX.tar.gz; without ``key`` it has no signature."""
    data = member({"DESCRIPTION": b"tests\n", "APKINDEX": text})
    return (key.signature(data, kind=kind) if key else b"") + data


def repository(
    apks: Sequence[Apk],
    *,
    key: SigningKey | None,
    path: str = "",
    kind: str = "RSA",
    arch: str = ARCH,
) -> dict[str, bytes]:
    """The files of a repository by their path below the mirror."""
    base = f"{path}/" if path else ""
    return {
        f"{base}{arch}/APKINDEX.tar.gz": signed_index(index(apks), key=key, kind=kind),
        **{f"{base}{one.filename}": one.data for one in apks},
    }


def member(files: Mapping[str, bytes], *, is_last: bool = True) -> bytes:
    """A gzip member with a tar of plain files; all but the last of a file's are cut short."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), EPOCH
            info.mode = 0o755 if content.startswith(b"#!") else 0o644
            archive.addfile(info, io.BytesIO(content))
        end = archive.offset
    whole = buffer.getvalue()
    return member_of_tar(whole if is_last else whole[:end])


def member_of_tar(tar: bytes) -> bytes:
    return gzip.compress(tar, 6, mtime=0)


def data_tar(files: Mapping[str, Item]) -> bytes:
    """The tar of a package's files, with the records abuild writes, in the order given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        made: set[str] = set()
        for path, item in files.items():
            parts = path.split("/")
            for depth in range(1, len(parts)):
                folder = "/".join(parts[:depth])
                if folder not in made and folder not in files:
                    _add(archive, folder, Dir())
                made.add(folder)
            made.add(path)
            _add(archive, path, item)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, path: str, item: Item) -> None:
    entry = File(item) if isinstance(item, bytes) else item
    info = tarfile.TarInfo(path)
    info.mtime, info.uname, info.gname = EPOCH, "root", "root"
    content = _bytes_of(entry)
    match entry:
        case Dir(mode, user, group, uid, gid):
            info.type, info.mode = tarfile.DIRTYPE, mode
            info.uname, info.gname, info.uid, info.gid = user, group, uid, gid
        case File(data, mode, user, group, uid, gid, xattrs):
            info.size, info.mode = len(data), mode
            info.uname, info.gname, info.uid, info.gid = user, group, uid, gid
            info.pax_headers = {
                f"SCHILY.xattr.{name}": value.decode("latin-1") for name, value in xattrs
            }
            info.pax_headers["APK-TOOLS.checksum.SHA1"] = hashlib.sha1(data).hexdigest()
        case Link(target):
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
            checksum = hashlib.sha1(target.encode()).hexdigest()
            info.pax_headers = {"APK-TOOLS.checksum.SHA1": checksum}
        case Hard(target):
            info.type, info.linkname = tarfile.LNKTYPE, target
        case Node(major, minor, mode):
            info.type, info.devmajor, info.devminor = tarfile.CHRTYPE, major, minor
            info.mode = mode
    archive.addfile(info, io.BytesIO(content))


def _bytes_of(item: Item) -> bytes:
    if isinstance(item, File):
        return item.data
    return item if isinstance(item, bytes) else b""

"""A Debian repository made on the spot: real .deb files, real indexes, a real signature.

::

    key = SigningKey.generate()
    files = repository([deb(name="hello"), deb(name="libhello", version="2")], key=key)
    with serve(files) as server:
        ...
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import sys
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

import pysequoia

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

EPOCH = 1_700_000_000
DATE = datetime.fromtimestamp(EPOCH, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A .deb file and the paragraph that describes it."""

    fields: Mapping[str, str]
    data: bytes

    @property
    def name(self) -> str:
        return self.fields["Package"]

    @property
    def filename(self) -> str:
        version = self.fields["Version"].partition(":")[2] or self.fields["Version"]
        folder = self.name[:4] if self.name.startswith("lib") else self.name[:1]
        return (
            f"pool/main/{folder}/{self.name}/"
            f"{self.name}_{version}_{self.fields['Architecture']}.deb"
        )


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An OpenPGP key with its secret part."""

    secret: pysequoia.Tsk = field(repr=False)

    @classmethod
    def generate(
        cls, name: str = "Archive for tests <tests@example.org>", *, valid_s: int | None = None
    ) -> SigningKey:
        return cls(pysequoia.Tsk.generate(name, validity_seconds=valid_s))

    @property
    def public(self) -> bytes:
        """The public key, ASCII-armored."""
        return str(self.secret.extract_certificate()).encode()

    @property
    def public_binary(self) -> bytes:
        return bytes(self.secret.extract_certificate())

    @property
    def fingerprint(self) -> str:
        return self.secret.extract_certificate().fingerprint.upper()

    def clearsign(self, text: bytes) -> bytes:
        return pysequoia.sign(self.secret.signer(), text, mode=pysequoia.SignatureMode.CLEAR)

    def detached(self, text: bytes) -> bytes:
        return pysequoia.sign(self.secret.signer(), text, mode=pysequoia.SignatureMode.DETACHED)


def deb(
    *,
    name: str,
    version: str = "1.0",
    architecture: str = "all",
    files: Mapping[str, bytes] | None = None,
    control_files: Mapping[str, bytes] | None = None,
    compression: str = "xz",
    **fields: str,
) -> Deb:
    """A package.  ``files`` are its contents by absolute path, ``control_files`` its scripts,
    conffiles and so on; further ``fields`` are named as ``pre_depends`` for ``Pre-Depends``.
    """
    control = {
        "Package": name,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": "Tests <tests@example.org>",
        "Installed-Size": "1",
        "Section": "misc",
        "Priority": "optional",
        "Description": f"{name} for tests",
        **{field_name(key): value for key, value in fields.items()},
    }
    suffix = f".{compression}" if compression else ""
    members = {"control": paragraph(control), **(control_files or {})}
    return Deb(
        fields=control,
        data=ar(
            [
                ("debian-binary", b"2.0\n"),
                (f"control.tar{suffix}", compress(tar(members), compression)),
                (f"data.tar{suffix}", compress(tar(files or {}), compression)),
            ]
        ),
    )


def deb_from_parts(fields: Mapping[str, str], parts: Sequence[tuple[str, bytes]]) -> Deb:
    """A package whose ar members are given; for malformed ones."""
    return Deb(fields=fields, data=ar(parts))


def field_name(key: str) -> str:
    """``pre_depends`` as ``Pre-Depends``."""
    return "-".join(word.capitalize() for word in key.split("_"))


def paragraph(fields: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in fields.items()).encode()


def packages_file(debs: Iterable[Deb], overrides: Mapping[str, Mapping[str, str]]) -> bytes:
    """A ``Packages`` file; ``overrides`` change fields by package name."""
    return b"\n".join(
        paragraph(
            {
                **one.fields,
                "Filename": one.filename,
                "Size": str(len(one.data)),
                "SHA256": hashlib.sha256(one.data).hexdigest(),
                **overrides.get(one.name, {}),
            }
        )
        for one in debs
    )


def repository(
    debs: Sequence[Deb],
    *,
    key: SigningKey | None,
    suite: str = "stable",
    codename: str = "testing-suite",
    components: Sequence[str] = ("main",),
    architectures: Sequence[str] = ("amd64", "arm64"),
    origin: str = "Debian",
    date: datetime = DATE,
    valid_until: datetime | None = None,
    forms: Sequence[str] = ("xz", "gz"),
    by_hash: bool = True,
    detached: bool = False,
    release_fields: Mapping[str, str] | None = None,
    overrides: Mapping[str, Mapping[str, str]] | None = None,
    path: str | None = None,
) -> dict[str, bytes]:
    """The files of a repository by their path below the mirror.

    All packages are in the first component.  Without ``key`` it has no signature; ``detached``
    signs ``Release`` instead of making ``InRelease``; ``path`` is the suite's folder below
    ``dists`` when that is not its codename.
    """
    base = f"dists/{path or codename}"
    files = {one.filename: one.data for one in debs}
    digests: dict[str, bytes] = {}
    for component in components:
        for architecture in architectures:
            fitting = [
                one
                for one in debs
                if one.fields["Architecture"] in (architecture, "all")
                and component == components[0]
            ]
            plain = packages_file(fitting, overrides or {})
            folder = f"{component}/binary-{architecture}"
            digests[f"{folder}/Packages"] = plain
            digests |= {f"{folder}/Packages.{form}": compress(plain, form) for form in forms}
    for name, data in digests.items():
        if name.endswith("/Packages"):
            continue  # as in Debian's archive, it is only listed
        files[f"{base}/{name}"] = data
        if by_hash:
            folder = name.rpartition("/")[0]
            files[f"{base}/{folder}/by-hash/SHA256/{hashlib.sha256(data).hexdigest()}"] = data
    fields = {
        "Origin": origin,
        "Label": origin,
        "Suite": suite,
        "Codename": codename,
        "Date": release_date(date),
        **({"Valid-Until": release_date(valid_until)} if valid_until else {}),
        **({"Acquire-By-Hash": "yes"} if by_hash else {}),
        "Architectures": " ".join(architectures),
        "Components": " ".join(components),
        **(release_fields or {}),
    }
    release = paragraph(fields) + b"SHA256:\n"
    for name, data in sorted(digests.items()):
        release += f" {hashlib.sha256(data).hexdigest()} {len(data):8} {name}\n".encode()
    files[f"{base}/Release"] = release
    if key is not None and detached:
        files[f"{base}/Release.gpg"] = key.detached(release)
    elif key is not None:
        files[f"{base}/InRelease"] = key.clearsign(release)
    return files


def release_date(moment: datetime) -> str:
    """A time as Release files write it."""
    return format_datetime(moment.astimezone(UTC)).replace("+0000", "UTC")


def compress(data: bytes, form: str) -> bytes:
    """``data`` in the form whose suffix is ``xz``, ``gz``, ``zst`` or nothing."""
    match form:
        case "":
            return data
        case "zst":
            return zstd.compress(data)
        case "xz":
            return lzma.compress(data, preset=1)
        case "gz":
            return gzip.compress(data, 6, mtime=0)
    raise ValueError(form)


def tar(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of regular files, and their folders, all root's."""
    folders = {"."}
    for name in files:
        parts = name.strip("/").split("/")[:-1]
        folders |= {"./" + "/".join(parts[: depth + 1]) for depth in range(len(parts))}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for folder in sorted(folders):
            info = tarfile.TarInfo(folder)
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, EPOCH
            archive.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo("./" + name.strip("/"))
            info.size, info.mtime = len(data), EPOCH
            info.mode = 0o755 if data.startswith(b"#!") else 0o644
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def ar(members: Sequence[tuple[str, bytes]]) -> bytes:
    """An ar archive (deb(5))."""
    archive = b"!<arch>\n"
    for name, data in members:
        archive += f"{name:<16}{EPOCH:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        archive += data + b"\n" * (len(data) % 2)
    return archive

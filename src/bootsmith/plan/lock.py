"""The lock: every input of a build by digest.

``bootsmith.lock.json`` lies beside the manifest.  The mirror's own address is no part of it:
a package's path is relative to its mirror, and a mirror is named by its role (``alpine``,
``debian``, ``debian-security``, ``libkrunfw``).  Only a repository that is no distribution's own
is named by its address, as in the config.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from bootsmith.errors import BootsmithError, ImageError
from bootsmith.model.arch import Arch
from bootsmith.model.canonical_json import Json, digest_of
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.sources.mirror import safe_filename

LOCK_VERSION = 2


def _parsed_by(parse: Callable[[str], object]) -> Callable[[object], object]:
    """A validator whose refusals pydantic collects with the others."""

    def validate(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except BootsmithError as error:
            raise ValueError(str(error)) from error

    return validate


def _filename(path: str) -> str:
    return safe_filename(path, package="in the lock")


_DigestField = Annotated[
    Digest,
    BeforeValidator(_parsed_by(Digest.parse)),
    PlainSerializer(str, return_type=str),
]
_MirrorField = Annotated[
    str, Field(pattern=r"^(alpine|debian|debian-security|libkrunfw|(https?|file)://[^\s?#]+)$")
]
_ArchField = Annotated[
    Arch,
    BeforeValidator(_parsed_by(Arch.parse)),
    PlainSerializer(lambda arch: arch.value, return_type=str),
]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        arbitrary_types_allowed=True,
    )


class LockedPackage(_Part):
    """A package file: where it lies below its mirror, and what its bytes are."""

    name: str
    version: str
    arch: str
    mirror: _MirrorField
    path: Annotated[str, AfterValidator(_parsed_by(_filename))]
    digest: _DigestField
    size_bytes: Annotated[int, Field(ge=0)]
    tag: str | None = None
    """The tag of the repository it was pinned to (apk's ``@tag``)."""

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(digest=self.digest, size_bytes=self.size_bytes)


class LockedArchive(_Part):
    """A file that nobody publishes under a name of a mirror; the config says where it is."""

    digest: _DigestField
    size_bytes: Annotated[int, Field(ge=0)]


class LockedRepository(_Part):
    """A repository that packages were chosen from: a suite of Debian, a repository of Alpine.

    Its date is not kept: one published anew with the same packages gives the same lock.
    ``signed_by`` are the keys its index was checked with; none when the user allowed it to be
    unsigned.
    """

    mirror: _MirrorField
    name: str
    components: tuple[str, ...] = ()
    tag: str | None = None
    signed_by: tuple[str, ...]


class Lock(_Part):
    """What goes into the root file system, in the order in which it is installed.

    The kernel's package stands apart: it is opened for what boots, and is often one of the
    packages too.  ``initramfs`` are packages for the initramfs.  ``krun`` is the archive with the
    kernel for libkrun, unless the build was to go without, or could not have one.
    ``minirootfs`` is the archive that the root file system begins as, where the config names one.
    """

    version: Annotated[int, Field(ge=LOCK_VERSION, le=LOCK_VERSION)] = LOCK_VERSION
    config_digest: _DigestField
    arch: _ArchField
    distro: str
    repositories: tuple[LockedRepository, ...]
    packages: Annotated[tuple[LockedPackage, ...], Field(min_length=1)]
    kernel: LockedPackage
    initramfs: tuple[LockedPackage, ...] = ()
    krun: LockedPackage | Literal["unavailable"] | None = None
    minirootfs: LockedArchive | None = None

    @property
    def krun_archive(self) -> LockedPackage | None:
        """The archive with the kernel for libkrun, if the image gets one."""
        return self.krun if isinstance(self.krun, LockedPackage) else None

    @property
    def unsigned(self) -> tuple[str, ...]:
        """The names of repositories whose index nobody signed."""
        return tuple(one.name for one in self.repositories if not one.signed_by)

    @property
    def has_kernel_installed(self) -> bool:
        """Whether the kernel's package is in the root file system, with all its modules."""
        return any(one.digest == self.kernel.digest for one in self.packages)

    def blobs(self) -> tuple[LockedPackage, ...]:
        """Everything that must be fetched, each file once."""
        krun = () if self.krun_archive is None else (self.krun_archive,)
        every = (*self.packages, *self.initramfs, self.kernel, *krun)
        return tuple({one.digest: one for one in every}.values())


def resolution_digest(distro: str, arch: Arch, inputs: Json) -> Digest:
    """A digest of what decides a lock: ``inputs`` is that part of the config, without mirrors."""
    return digest_of({"arch": arch.value, "distro": distro, "inputs": inputs})


def check_lock(lock: Lock, expected: Digest, *, minirootfs: Digest | None = None) -> None:
    """Raises ``ImageError`` when ``lock`` was made for something else than ``expected``, the
    config's ``resolution_digest``, or for another ``minirootfs``."""
    locked = lock.minirootfs and lock.minirootfs.digest
    if lock.config_digest != expected or locked != minirootfs:
        raise ImageError(
            "the lock file was made for other packages, another suite or branch, another "
            "minirootfs or another architecture than the config asks for",
            hint="build once without --locked to make a new one",
        )


def encode_lock(lock: Lock) -> bytes:
    """The text of a lock file; the same lock gives the same bytes."""
    return (lock.model_dump_json(by_alias=True, indent=2) + "\n").encode()


def decode_lock(data: bytes, *, origin: str) -> Lock:
    """The lock in ``data``.  Raises ``ImageError`` when it is none."""
    try:
        return Lock.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ImageError(
            f"{origin} is not a lock file of this version: {where}: {first['msg']}",
            hint="build once without --locked to make a new one",
        ) from error

"""The lock: every input of a build by digest.

``bootsmith.lock.json`` lies beside the manifest.  The mirror's own address is no part of it:
a package's path is relative to its mirror, and a mirror is named by its role (``debian``,
``debian-security``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

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
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.sources.debian.package import safe_filename

LOCK_VERSION = 1


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
    mirror: Annotated[str, Field(pattern=r"^debian(-security)?$")]
    path: Annotated[str, AfterValidator(_parsed_by(_filename))]
    digest: _DigestField
    size_bytes: Annotated[int, Field(ge=0)]

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(digest=self.digest, size_bytes=self.size_bytes)


class LockedSuite(_Part):
    """A suite that packages were chosen from.

    Its date is not kept: a suite published anew with the same packages gives the same lock.
    ``signed_by`` are the fingerprints of the keys its Release file was checked with; none
    when the user allowed it to be unsigned.
    """

    mirror: str
    suite: str
    components: tuple[str, ...]
    signed_by: tuple[str, ...]


class Lock(_Part):
    """Packages in the order of their names; the kernel's package stands apart."""

    version: Annotated[int, Field(ge=LOCK_VERSION, le=LOCK_VERSION)] = LOCK_VERSION
    config_digest: _DigestField
    arch: _ArchField
    distro: str
    suites: tuple[LockedSuite, ...]
    packages: Annotated[tuple[LockedPackage, ...], Field(min_length=1)]
    kernel: LockedPackage

    @property
    def unsigned_suites(self) -> tuple[str, ...]:
        """The names of suites whose release nobody signed."""
        return tuple(suite.suite for suite in self.suites if not suite.signed_by)

    def blobs(self) -> tuple[LockedPackage, ...]:
        """Everything that must be fetched."""
        return (*self.packages, self.kernel)


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

"""Digests and descriptors: bytes named by what they are.

The text form is that of the OCI image specification (descriptor.md, "Digests"):
``algorithm:hex``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from bootsmith.errors import ImageError

_HEX_LENGTH = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}
_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A digest of some bytes; ``hex`` is lower case and of the algorithm's length.

    Raises ``ImageError`` when algorithm and value do not fit each other.
    """

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        length = _HEX_LENGTH.get(self.algorithm)
        if length is None or len(self.hex) != length or not _HEX.fullmatch(self.hex):
            raise ImageError(f"not a digest: {self.algorithm}:{self.hex}")

    @classmethod
    def parse(cls, text: str) -> Digest:
        """The digest printed as ``sha256:…``.  Raises ``ImageError`` for any other text."""
        algorithm, _, value = text.partition(":")
        return cls(algorithm, value)

    @classmethod
    def sha256(cls, hexadecimal: str) -> Digest:
        return cls("sha256", hexadecimal)

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The SHA-256 digest of ``data``."""
        return cls("sha256", hashlib.sha256(data).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a blob is, without where it is."""

    digest: Digest
    size_bytes: int
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBlob:
    """A blob and the addresses it can be had from, tried in order."""

    descriptor: Descriptor
    urls: tuple[str, ...]

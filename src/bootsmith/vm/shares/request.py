"""A request of the shared file system, whose every field is the guest's word only."""

from __future__ import annotations

import errno
from typing import NamedTuple, TypeVar

from bootsmith.host.shared_folder import Access, ShareRefused
from bootsmith.vm.cbor import Value

# linux/fcntl.h on x86-64 and arm64: the guest's numbers, whatever system this is.
_ACCESS_MODE, _EXCLUSIVE, _TRUNCATE, _APPEND = 0o3, 0o200, 0o1000, 0o2000
_ACCESS = {0: Access.READ, 1: Access.WRITE, 2: Access.BOTH}

_T = TypeVar("_T")


class OpenFlags(NamedTuple):
    """The flags of open(2) that mean something here."""

    access: Access
    exclusive: bool
    truncate: bool
    append: bool


class Request:
    """The fields of a request; every way to take one raises ``ShareRefused`` (EINVAL)."""

    def __init__(self, fields: Value) -> None:
        if not isinstance(fields, dict):
            raise ShareRefused(errno.EINVAL, "a request without fields")
        self._fields = fields

    def number(self, key: str, *, default: int | None = None, most: int | None = None) -> int:
        value = self._fields.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ShareRefused(errno.EINVAL, key)
        if most is not None and value > most:
            raise ShareRefused(errno.EINVAL, key)
        return value

    def text(self, key: str) -> str:
        return self._field(key, str)

    def data(self, key: str, *, most: int) -> bytes:
        value = self._field(key, bytes)
        if len(value) > most:
            raise ShareRefused(errno.EINVAL, key)
        return value

    def name(self, key: str) -> str:
        """One name in a directory, which cannot lead anywhere else."""
        value = self._field(key, str)
        if value in ("", ".", "..") or "/" in value or "\0" in value:
            raise ShareRefused(errno.EINVAL, key)
        return value

    def _field(self, key: str, kind: type[_T]) -> _T:
        value = self._fields.get(key)
        if not isinstance(value, kind):
            raise ShareRefused(errno.EINVAL, key)
        return value

    def flags(self, key: str, *, default: int | None = None) -> OpenFlags:
        """The flags of open(2)."""
        flags = self.number(key, default=default)
        access = _ACCESS.get(flags & _ACCESS_MODE)
        if access is None:
            raise ShareRefused(errno.EINVAL, key)
        return OpenFlags(
            access,
            exclusive=bool(flags & _EXCLUSIVE),
            truncate=bool(flags & _TRUNCATE),
            append=bool(flags & _APPEND),
        )

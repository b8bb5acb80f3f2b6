"""Trees that stand at the borders of what ext4 can hold, by name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from bootsmith.image.ext4.htree import ROOT_LIMIT
from bootsmith.model.guest_path import GuestPath
from bootsmith.tree.entry import (
    Device,
    Directory,
    Entry,
    Fifo,
    HardLink,
    InlineBytes,
    Metadata,
    RegularFile,
    Run,
    SparseContent,
    Symlink,
    Xattrs,
)
from bootsmith.tree.file_tree import FileTree
from tests.support.ext4_images import DIRECTORY, PLAIN, file_of, tree_of

_GIB = 1 << 30
_SECOND = 1_000_000_000
_NO_ID = 0xFFFF_FFFF
_ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in [(1, 7, _NO_ID), (2, 5, 1000), (4, 5, _NO_ID), (8, 4, 70_000), (16, 5, _NO_ID),
                  (32, 4, _NO_ID)]
)  # fmt: skip
_CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service+ep


def _named(count: int, *, pad: int = 0) -> dict[bytes, Entry]:
    """A directory with ``count`` names, each ``pad`` bytes or more long."""
    names = (b"d/" + (b"%06d" % i).ljust(pad, b"-") for i in range(count))
    return {b"d": DIRECTORY, **dict.fromkeys(names, file_of(b""))}


def _scattered(extents: int) -> dict[bytes, Entry]:
    runs = tuple(Run(i * 8192, InlineBytes(b"%d" % i)) for i in range(extents))
    return {b"s": RegularFile(PLAIN, SparseContent(extents * 8192, runs))}


def _linked(count: int) -> dict[bytes, Entry]:
    """A file with ``count`` more names."""
    links = {b"l%05d" % i: HardLink(GuestPath(b"f")) for i in range(count)}
    return {b"f": file_of(b"popular"), **links}


def _with_xattrs(*xattrs: tuple[bytes, bytes]) -> dict[bytes, Entry]:
    found: Xattrs = tuple(sorted(xattrs))
    return {
        b"f": RegularFile(Metadata(0o644, xattrs=found), InlineBytes(b"x")),
        b"d": Directory(Metadata(0o755, xattrs=found)),
    }


def _at(*seconds: int) -> dict[bytes, Entry]:
    return {b"%d" % s: file_of(b"", mtime_ns=s * _SECOND + 123_456_789) for s in seconds}


# The large ones are made when they are asked for.
_ENTRIES: dict[str, dict[bytes, Entry] | Callable[[], dict[bytes, Entry]]] = {
    "nothing": {},
    "root with metadata": {b"": Directory(Metadata(0o1777, 5, 6, 7 * _SECOND))},
    "own lost+found": {
        b"lost+found": Directory(Metadata(0o711, 1, 2, 3)),
        b"lost+found/x": file_of(b"found"),
    },
    "file sizes": {b"%d" % n: file_of(b"x" * n) for n in (0, 1, 4095, 4096, 4097, 100_000)},
    "symlink targets": {
        b"%d" % n: Symlink(Metadata(0o777), b"t" * n) for n in (1, 58, 59, 60, 61, 4094, 4095)
    },
    "symlink with attributes": {
        b"%d" % n: Symlink(Metadata(0o777, xattrs=((b"trusted.x", b"y" * 200),)), b"t" * n)
        for n in (59, 60)
    },
    "names": {
        b"n" * 255: file_of(b"longest"),
        b"\xff\xfe\x80": file_of(b"no UTF-8"),
        "ünï".encode(): file_of(b"UTF-8"),
        b" \n\t\\": file_of(b"odd"),
        b"-": file_of(b"dash"),
        b"...": file_of(b"dots"),
    },
    "four extents": partial(_scattered, 4),
    "five extents": partial(_scattered, 5),
    "a full block of extents": partial(_scattered, 340),
    "two blocks of extents": partial(_scattered, 341),
    "two levels of extents": partial(_scattered, 1361),
    "only a hole": {b"h": RegularFile(PLAIN, SparseContent(6 * _GIB + 5, ()))},
    "over four gigabytes": {
        b"s": RegularFile(
            PLAIN,
            SparseContent(
                5 * _GIB,
                (
                    Run(1, InlineBytes(b"near the start")),
                    Run(4 * _GIB - 3, InlineBytes(b"across the border")),
                    Run(5 * _GIB - 1, InlineBytes(b"!")),
                ),
            ),
        )
    },
    "hole at the end": {
        b"h": RegularFile(PLAIN, SparseContent(1 << 20, (Run(0, InlineBytes(b"x")),)))
    },
    "one name": partial(_named, 1),
    "the most names of one block": partial(_named, 253, pad=6),
    "one name more": partial(_named, 254, pad=6),
    "long names in a block": partial(_named, 15, pad=255),
    "long names in an index": partial(_named, 16, pad=255),
    "an index of one level": partial(_named, ROOT_LIMIT * 10, pad=255),
    "an index of two levels": partial(_named, ROOT_LIMIT * 15 + 200, pad=255),
    "a directory of 50,000": partial(_named, 50_000),
    "devices": {
        b"null": Device(Metadata(0o666), is_block=False, major=1, minor=3),
        b"vda": Device(Metadata(0o660, 0, 6), is_block=True, major=254, minor=0),
        b"old": Device(Metadata(0o600), is_block=True, major=255, minor=255),
        b"new": Device(Metadata(0o600), is_block=True, major=256, minor=256),
        b"max": Device(Metadata(0o600), is_block=False, major=4095, minor=(1 << 20) - 1),
        b"zero": Device(Metadata(0o600), is_block=False, major=0, minor=0),
    },
    "fifo": {b"f": Fifo(Metadata(0o640, 3, 4, 5))},
    "hard links": {
        b"a": HardLink(GuestPath(b"z")),
        b"d": DIRECTORY,
        b"d/l": HardLink(GuestPath(b"z")),
        b"d/m": HardLink(GuestPath(b"d/n")),
        b"d/n": Device(Metadata(0o600), is_block=False, major=5, minor=1),
        b"z": file_of(b"shared"),
    },
    "as many hard links as there can be": partial(_linked, 64_999),
    "owners": {
        b"%d" % n: file_of(b"", uid=n, gid=n // 2) for n in (0, 65_535, 65_536, (1 << 32) - 2)
    },
    "modes": {b"%o" % mode: file_of(b"", mode=mode) for mode in (0, 0o777, 0o4755, 0o2711, 0o7777)},
    "times": _at(-(1 << 31), -1, 0, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 33) + 7, 15_032_385_534),
    "attributes in the inode": _with_xattrs(
        (b"user.a", b"1"), (b"security.capability", _CAPABILITY)
    ),
    "attributes without value": _with_xattrs((b"user.a", b""), (b"user.b", b"")),
    "attributes in a block": _with_xattrs((b"user.big", b"v" * 3000), (b"trusted.t", b"w" * 300)),
    "attributes in both": _with_xattrs(
        (b"user.small", b"v"), (b"user.big", b"v" * 3500), (b"trusted.x", b"w" * 40)
    ),
    "no value in a block": _with_xattrs(*((b"user.%030d" % i, b"") for i in range(20))),
    "access lists": _with_xattrs(
        (b"system.posix_acl_access", _ACL), (b"user.more", b"x" * 60)
    ),
    "default lists": {
        b"d": Directory(
            Metadata(
                0o755,
                xattrs=(
                    (b"system.posix_acl_access", _ACL),
                    (b"system.posix_acl_default", _ACL),
                ),
            )
        )
    },
    "deep": {b"/".join([b"d"] * depth): DIRECTORY for depth in range(1, 200)},
}  # fmt: skip

BOUNDARIES = tuple(_ENTRIES)
"""The names of the trees."""


def boundary_tree(name: str) -> FileTree:
    entries = _ENTRIES[name]
    return tree_of(entries() if callable(entries) else entries)


def many_subdirectories(count: int) -> FileTree:
    """A directory with ``count`` directories in it."""
    return tree_of({b"d": DIRECTORY, **{b"d/%05d" % i: DIRECTORY for i in range(count)}})

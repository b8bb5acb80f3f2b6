"""The binary index files that modprobe and udev look modules up in.

A radix tree, written leaves first (kmod's ``libkmod-index.c`` and ``depmod.c``)::

    file     magic u32, version u32, root reference u32, nodes …      (all big-endian)
    node     [prefix, NUL]  [first child u8, last child u8, a reference u32 for each between]
             [count u32, then for each value: priority u32, text, NUL]

A reference is the node's position in the file, its top bits telling which parts it has.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

_MAGIC = 0xB007F457
_VERSION = 0x0002_0001
_HAS_PREFIX, _HAS_VALUES, _HAS_CHILDREN = 0x8000_0000, 0x4000_0000, 0x2000_0000
_FILE_HEADER = struct.Struct(">III")
_U32 = struct.Struct(">I")


class _Node:
    __slots__ = ("children", "prefix", "values")

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self.children: dict[int, _Node] = {}
        self.values: list[tuple[int, bytes]] = []


def module_index(entries: Iterable[tuple[str, str, int]]) -> bytes:
    """The index of ``(key, value, priority)`` entries.

    Values of one key stand in the order of their priority, the lowest first.  A key that is
    not ASCII is left out, as depmod does.
    """
    root = _Node(b"")
    for key, value, priority in entries:
        if key.isascii():
            _insert(root, key.encode(), value.encode("utf-8", "surrogateescape"), priority)
    written = bytearray(_FILE_HEADER.size)
    reference = _write(root, written)
    _FILE_HEADER.pack_into(written, 0, _MAGIC, _VERSION, reference)
    return bytes(written)


def _insert(root: _Node, key: bytes, value: bytes, priority: int) -> None:
    node, rest = root, key
    while True:
        shared = _shared_length(node.prefix, rest)
        if shared < len(node.prefix):
            _split(node, shared)
        rest = rest[shared:]
        if not rest:
            break
        child = node.children.get(rest[0])
        if child is None:
            child = node.children[rest[0]] = _Node(rest[1:])
        node, rest = child, rest[1:]
    position = len(node.values)
    while position and node.values[position - 1][0] >= priority:
        position -= 1
    node.values.insert(position, (priority, value))


def _split(node: _Node, shared: int) -> None:
    """Cut the node's prefix at ``shared``; what came after becomes its one child."""
    below = _Node(node.prefix[shared + 1 :])
    below.children, below.values = node.children, node.values
    node.children, node.values = {node.prefix[shared]: below}, []
    node.prefix = node.prefix[:shared]


def _shared_length(prefix: bytes, text: bytes) -> int:
    length = 0
    for ours, theirs in zip(prefix, text, strict=False):
        if ours != theirs:
            break
        length += 1
    return length


def _write(node: _Node, written: bytearray) -> int:
    references = {first: _write(node.children[first], written) for first in sorted(node.children)}
    reference = len(written)
    if node.prefix:
        reference |= _HAS_PREFIX
        written += node.prefix + b"\0"
    if references:
        reference |= _HAS_CHILDREN
        first, last = min(references), max(references)
        written += bytes((first, last))
        for character in range(first, last + 1):
            written += _U32.pack(references.get(character, 0))
    if node.values:
        reference |= _HAS_VALUES
        written += _U32.pack(len(node.values))
        for priority, value in node.values:
            written += _U32.pack(priority) + value + b"\0"
    return reference

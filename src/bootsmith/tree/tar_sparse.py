"""Files with holes in a tar archive: the maps of GNU's four formats, read and checked.

Format "old" puts the map in the header and in blocks after it; 0.0 and 0.1 put it in pax
records; 1.0 puts it before the data.  See the GNU tar manual, "Storing Sparse Files".
"""

from __future__ import annotations

from bootsmith.model.digest import Digest
from bootsmith.tree.entry import EMPTY, BlobSlice, Content, Run, SparseContent
from bootsmith.tree.tar_format import BLOCK_BYTES, number, padded
from bootsmith.tree.tar_pax import decimal

SPARSE_MAP_MAX_BYTES = 1 << 20

_Stretches = list[tuple[int, int]]
_PAIR_BYTES = 24
_OLD_HEADER = slice(386, 386 + 4 * _PAIR_BYTES)
_OLD_HEADER_MORE, _OLD_REAL_SIZE = 482, slice(483, 495)
_OLD_EXTENSION, _OLD_EXTENSION_MORE = slice(0, 21 * _PAIR_BYTES), 504


def old_map(block: bytes) -> tuple[_Stretches, int, bool]:
    """The stretches, the real size, and whether a block of more stretches follows."""
    return _pairs(block[_OLD_HEADER]), number(block[_OLD_REAL_SIZE]), bool(block[_OLD_HEADER_MORE])


def old_extension(block: bytes) -> tuple[_Stretches, bool]:
    """The stretches of an extension block, and whether another one follows."""
    return _pairs(block[_OLD_EXTENSION]), bool(block[_OLD_EXTENSION_MORE])


def listed_map(text: bytes) -> _Stretches:
    """Format 0.1: ``offset,size,offset,size…``.  Raises ``ValueError``."""
    numbers = [decimal(item) for item in text.split(b",")] if text else []
    if len(numbers) % 2:
        raise ValueError("a sparse map of an odd number of numbers")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def leading_map(data: bytes) -> tuple[_Stretches, int]:
    """Format 1.0: the map at the start of ``data``, and how many bytes it takes there.

    The number of stretches, then offset and size of each, a decimal line each, padded to a
    whole block.  Raises ``ValueError``, also when ``data`` ends before the map.
    """
    line_end = data.find(b"\n")
    count = decimal(data[:line_end]) if line_end > 0 else -1
    if not 0 <= count <= len(data):
        raise ValueError("the sparse map does not begin with its length")
    lines = data.split(b"\n", 2 * count + 1)
    if len(lines) < 2 * count + 2:
        raise ValueError("the sparse map is cut off or longer than bootsmith takes")
    numbers = [decimal(line) for line in lines[1:-1]]
    size = padded(len(data) - len(lines[-1]))
    return list(zip(numbers[::2], numbers[1::2], strict=True)), size


def format_leading_map(stretches: _Stretches) -> bytes:
    """Format 1.0's map, padded to a whole block."""
    lines = [len(stretches), *(value for stretch in stretches for value in stretch)]
    data = b"".join(b"%d\n" % line for line in lines)
    return data.ljust(padded(len(data)), b"\0")


def sparse_content(
    stretches: _Stretches, *, blob: Digest, offset: int, stored_bytes: int, real_bytes: int
) -> Content:
    """The content whose stretches lie one after the other at ``offset`` of ``blob``.

    Raises ``ValueError`` unless they ascend, end inside ``real_bytes`` and fill
    ``stored_bytes``.
    """
    runs: list[Run] = []
    end = 0
    stored_end = offset
    for start, size in stretches:
        if start < end or size < 0:
            raise ValueError("the stretches of a sparse map overlap or do not ascend")
        end = start + size
        if size:
            runs.append(Run(start, BlobSlice(blob, stored_end, size)))
            stored_end += size
    if end > real_bytes:
        raise ValueError(f"a sparse map reaches to {end}, the file to {real_bytes}")
    if stored_end - offset != stored_bytes:
        raise ValueError(f"a sparse map of {stored_end - offset} bytes for {stored_bytes} stored")
    if not real_bytes:
        return EMPTY
    return SparseContent(real_bytes, tuple(runs))


def _pairs(area: bytes) -> _Stretches:
    pairs = []
    for start in range(0, len(area), _PAIR_BYTES):
        pair = area[start : start + _PAIR_BYTES]
        if not pair[0]:
            break
        pairs.append((number(pair[:12]), number(pair[12:])))
    return pairs


assert _OLD_EXTENSION.stop == _OLD_EXTENSION_MORE < BLOCK_BYTES

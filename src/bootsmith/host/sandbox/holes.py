"""Which parts of a changed file are data, and which are holes.

Where the holes of a file are depends on the file system.  What is kept depends on its content
alone: a hole is an aligned block of zeros in a file of some size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SPARSE_FROM_BYTES = 1 << 20
HOLE_BYTES = 64 << 10


def stretches(blocks: Iterable[int], size_bytes: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each stretch to keep of a file of ``size_bytes``.

    ``blocks`` are the beginnings of its aligned blocks that are not all zeros, ascending; of a
    smaller file than ``SPARSE_FROM_BYTES`` they are not asked for.
    """
    if size_bytes < SPARSE_FROM_BYTES:
        if size_bytes:
            yield 0, size_bytes
        return
    start = end = 0
    for block in blocks:
        if block != end:
            if start != end:
                yield start, end
            start = block
        end = min(block + HOLE_BYTES, size_bytes)
    if start != end:
        yield start, end

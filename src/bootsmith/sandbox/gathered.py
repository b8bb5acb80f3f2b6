"""The contents of changed files as if they lay one behind the other, without copying them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from bootsmith.host.sandbox.holes import HOLE_BYTES, stretches
from bootsmith.model.streams import ByteSource
from bootsmith.sandbox.stored import SCRATCH
from bootsmith.tree.entry import EMPTY, BlobSlice, Content, InlineBytes, Run, SparseContent, runs


class GatheredContents:
    """A ``ByteSource`` of files that lie in pieces on a disk.

    On a disk a file may be in many pieces, with holes where its blocks were never written.
    What is gathered depends on its bytes alone: its data in one piece, and holes where
    ``stretches`` says so.
    """

    def __init__(self, disk: ByteSource) -> None:
        self._disk = disk
        self._starts: list[int] = []
        self._pieces: list[tuple[int, int | None]] = []  # size, and place on the disk if any
        self.size_bytes = 0

    def add(self, content: Content) -> Content:
        """``content``, whose slices are of the disk, as slices of ``SCRATCH``: of this."""
        size_bytes = content.size_bytes
        found = list(runs(content))
        kept = tuple(
            Run(start, BlobSlice(SCRATCH, self._append(found, start, end), end - start))
            for start, end in stretches(self._blocks_with_data(found), size_bytes)
        )
        if not size_bytes:
            return EMPTY
        if len(kept) == 1 and kept[0].data.size_bytes == size_bytes:
            return kept[0].data
        return SparseContent(size_bytes, kept)

    def read_at(self, offset: int, size: int) -> bytes:
        data = bytearray()
        index = bisect_right(self._starts, offset) - 1
        while size > len(data) and 0 <= index < len(self._pieces):
            piece_bytes, place = self._pieces[index]
            skipped = offset + len(data) - self._starts[index]
            count = min(piece_bytes - skipped, size - len(data))
            data += bytes(count) if place is None else self._disk.read_at(place + skipped, count)
            index += 1
        return bytes(data)

    def _append(self, found: Sequence[Run], start: int, end: int) -> int:
        """Take the bytes of a file from ``start`` to ``end``; where they now begin."""
        begin = self.size_bytes
        position = start
        index = max(bisect_right(found, start, key=lambda run: run.offset) - 1, 0)
        for run in found[index:]:
            if run.offset >= end:
                break
            place = _place(run)
            first, last = max(run.offset, position), min(run.offset + run.data.size_bytes, end)
            if last > first:
                self._piece(first - position, None)
                self._piece(last - first, place + first - run.offset)
                position = last
        self._piece(end - position, None)
        return begin

    def _piece(self, size_bytes: int, place: int | None) -> None:
        if size_bytes:
            self._starts.append(self.size_bytes)
            self._pieces.append((size_bytes, place))
            self.size_bytes += size_bytes

    def _blocks_with_data(self, found: Sequence[Run]) -> Iterator[int]:
        """The aligned blocks of a file that are not all zeros."""
        last = -1
        for run in found:
            position, end = run.offset, run.offset + run.data.size_bytes
            while position < end:
                block = position // HOLE_BYTES * HOLE_BYTES
                stop = min(block + HOLE_BYTES, end)
                place = _place(run) + position - run.offset
                if block != last and self._disk.read_at(place, stop - position).strip(b"\0"):
                    last = block
                    yield block
                position = stop


def _place(run: Run) -> int:
    assert not isinstance(run.data, InlineBytes), "what lies on a disk is a slice of it"
    return run.data.offset

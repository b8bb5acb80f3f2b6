"""The table's rows on ext4, from what ``bench.ext4`` measures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.ext4 import Ext4Timing, measure_ext4
from bench.measure import Row, ratio_row

_MANY_FILES = 92_000  # with their directories and links, 113,000 entries


def rows() -> Iterator[Row]:
    # First, so that its memory is its own.
    many = _measure(files=_MANY_FILES, median_bytes=400, rounds=1)
    usual = _measure(files=8_000, median_bytes=3_000)
    what = f"{usual.entries:,} entries, {usual.content_bytes / 1e6:.0f} MB"
    name = f"mke2fs -d ({usual.mke2fs_version})"
    yield ratio_row(f"ext4: tree of {what}", usual.write_s, name, usual.mke2fs_s, "≤ 0.5")
    yield ratio_row("ext4: the same, its tar read too", usual.ours_s, name, usual.mke2fs_s, "≤ 0.5")
    yield ratio_row(
        "ext4: the same, against extracting too",
        usual.ours_s,
        "tar x + mke2fs -d",
        usual.extract_s + usual.mke2fs_s,
        "≤ 0.3",
    )
    what = f"{many.entries:,} entries, {many.content_bytes / 1e6:.0f} MB"
    yield ratio_row(f"ext4: {what}", many.write_s, "mke2fs -d", many.mke2fs_s, "≤ 3 s")
    yield Row(
        what="ext4: peak memory of the same",
        ours=f"{many.peak_memory_bytes / (1 << 20):.0f} MiB",
        aim="≤ 200 MiB",
    )


def _measure(*, files: int, median_bytes: int, rounds: int = 5) -> Ext4Timing:
    with tempfile.TemporaryDirectory(prefix="bootsmith-bench-") as workspace:
        return measure_ext4(Path(workspace), files=files, median_bytes=median_bytes, rounds=rounds)

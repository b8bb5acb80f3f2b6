"""The text of this machine's apt configuration; what it means is read in ``sources.debian``."""

from __future__ import annotations

from pathlib import Path

from bootsmith.errors import HostError
from bootsmith.host.files import read_whole

_MOST_BYTES = 1 << 20


def read_apt_sources(etc_apt: Path = Path("/etc/apt")) -> tuple[tuple[str, bytes], ...]:
    """The ``(file name, content)`` of apt's source lists, in the order apt reads them.

    Files that this user may not read are left out, as are names that apt ignores
    (sources.list(5)); a machine without apt has none.
    """
    folder = etc_apt / "sources.list.d"
    files = [etc_apt / "sources.list"]
    if folder.is_dir():
        files += sorted(file for file in folder.iterdir() if file.suffix in (".list", ".sources"))
    found: list[tuple[str, bytes]] = []
    for file in files:
        if file.is_file():
            try:
                found.append((file.name, read_whole(file, most_bytes=_MOST_BYTES)))
            except HostError:
                continue
    return tuple(found)

"""A layer in words, for tests to compare."""

from __future__ import annotations

from bootsmith.model.guest_path import display
from bootsmith.model.streams import BlobSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Device, Directory, Entry, Fifo, HardLink, RegularFile
from bootsmith.tree.layer import Layer


def summary(layer: Layer, blobs: BlobSource) -> dict[str, str]:
    """Every path with its kind, mode, owner, attributes and content in one line."""
    return {display(path): _words(entry, blobs) for path, entry in layer.members}


def _words(entry: Entry, blobs: BlobSource) -> str:
    if isinstance(entry, HardLink):
        return f"hard link to {display(entry.target)}"
    mode, uid, gid, _, xattrs = entry.metadata
    known = " ".join(f" {display(name)}={value!r}" for name, value in xattrs)
    tail = f"{mode:o} {uid}:{gid}{known}"
    if isinstance(entry, Directory):
        return f"directory {tail}"
    if isinstance(entry, RegularFile):
        return f"file {tail} {read_content(entry.content, blobs=blobs)!r}"
    if isinstance(entry, Device):
        kind = "block" if entry.is_block else "character"
        return f"{kind} device {tail} {entry.major}:{entry.minor}"
    if isinstance(entry, Fifo):
        return f"fifo {tail}"
    return f"link {uid}:{gid} to {display(entry.target)}"

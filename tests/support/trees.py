"""Random file trees for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from bootsmith.model.guest_path import GuestPath, ancestors
from bootsmith.tree.entry import (
    EMPTY,
    Content,
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
)
from bootsmith.tree.file_tree import FileTree

_BILLION = 1_000_000_000

names = st.one_of(
    st.sampled_from([b"a", b"b", b"c", b"A", b"a b", b"\xff\xfe", "ü".encode(), b"n" * 255]),
    st.binary(min_size=1, max_size=20).filter(
        lambda name: name not in (b".", b"..") and not set(name) & {0, ord("/")}
    ),
).filter(lambda name: not name.startswith(b".wh."))
paths = st.lists(names, min_size=1, max_size=5).map(lambda parts: GuestPath(b"/".join(parts)))
xattrs = st.dictionaries(
    st.binary(min_size=1, max_size=8)
    .filter(lambda name: not set(name) & {0, ord("=")})
    .map(lambda name: b"user." + name),
    st.binary(max_size=300),
    max_size=3,
).map(lambda found: tuple(sorted(found.items())))
metadata = st.builds(
    Metadata,
    mode=st.integers(0, 0o7777),
    uid=st.one_of(st.integers(0, 2000), st.integers(0, 0xFFFF_FFFE)),
    gid=st.one_of(st.integers(0, 2000), st.integers(0, 0xFFFF_FFFE)),
    mtime_ns=st.one_of(
        st.integers(0, 1 << 32).map(lambda seconds: seconds * _BILLION),
        st.integers(-(1 << 31) * _BILLION, ((1 << 34) - 1) * _BILLION),
    ),
    xattrs=xattrs,
)


@st.composite
def sparse_contents(draw: st.DrawFn) -> SparseContent:
    position, runs = 0, []
    for gap, data in draw(
        st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=50)), max_size=5)
    ):
        runs.append(Run(position + gap, InlineBytes(data)))
        position += gap + len(data)
    return SparseContent(position + draw(st.integers(1, 5000)), tuple(runs))


contents: st.SearchStrategy[Content] = st.one_of(
    st.just(EMPTY), st.binary(max_size=1500).map(InlineBytes), sparse_contents()
)
inodes: st.SearchStrategy[Entry] = st.one_of(
    st.builds(Directory, metadata),
    st.builds(RegularFile, metadata, contents),
    st.builds(
        Symlink, metadata, st.binary(min_size=1, max_size=200).filter(lambda text: 0 not in text)
    ),
    st.builds(Device, metadata, st.booleans(), st.integers(0, 4095), st.integers(0, (1 << 20) - 1)),
    st.builds(Fifo, metadata),
)


@st.composite
def trees(draw: st.DrawFn, *, max_size: int = 20) -> FileTree:
    """A tree of every kind of entry, hard links among them."""
    wanted = draw(st.dictionaries(paths, inodes, max_size=max_size))
    entries: dict[GuestPath, Entry] = {GuestPath(b""): Directory(draw(metadata))}
    for path in sorted(wanted):
        above = ancestors(path)
        if all(isinstance(entries.get(step, _SOME_DIRECTORY), Directory) for step in above):
            entries |= {step: Directory(draw(metadata)) for step in above if step not in entries}
            entries[path] = wanted[path]
    targets = [path for path, entry in entries.items() if not isinstance(entry, Directory)]
    if targets:
        for name in draw(st.lists(names, max_size=4)):
            link = HardLink(draw(st.sampled_from(targets)))
            entries.setdefault(GuestPath(b"links-" + name[:200]), link)
    return FileTree(entries)


_SOME_DIRECTORY = Directory(Metadata(0o755))

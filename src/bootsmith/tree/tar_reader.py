"""Reading tar archives: ustar, pax, GNU and old headers, one pass, no content in memory.

What a member holds is told as a slice of the archive's own blob.  Built for archives of a
hundred thousand members: a plain one costs about five microseconds, so the ordinary header is
taken apart in the loop and everything rarer in functions beside it.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootsmith.errors import ArchiveError, UnsafePath
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import NAME_MAX_BYTES, GuestPath, display, guest_path
from bootsmith.model.streams import ByteSource
from bootsmith.tree import tar_format as tar
from bootsmith.tree import tar_pax as pax
from bootsmith.tree import tar_sparse as sparse
from bootsmith.tree.entry import (
    EMPTY,
    BlobSlice,
    Content,
    Device,
    Directory,
    Entry,
    Fifo,
    HardLink,
    Member,
    Metadata,
    RegularFile,
    SparseContent,
    Symlink,
)

PATH_MAX_BYTES = 4095  # PATH_MAX of <linux/limits.h>, without its NUL
EXTENSION_MAX_BYTES = 1 << 20  # what a pax header or a GNU long name may take

GLOBAL_MAX_BYTES = 64 << 10  # what all global pax records may take: each member carries them
STRETCHES_MAX = 1 << 20  # of all sparse files together

_WINDOW_BYTES = 64 << 10
_CACHE_MAX = 1 << 14
_NO_NAMES = frozenset({b"", b".", b".."})
_KIND, _SIZE = 7, 4  # fields of tar.HEADER
_ID_MAX = 0xFFFF_FFFE  # the last 32-bit id means "no id" to the kernel
_MAJOR_MAX, _MINOR_MAX = (1 << 12) - 1, (1 << 20) - 1  # Linux's dev_t

_FILES = frozenset({tar.REGULAR, tar.OLD_REGULAR, tar.CONTIGUOUS})
_EXTENSIONS = frozenset({tar.PAX, tar.PAX_GLOBAL, tar.GNU_LONG_NAME, tar.GNU_LONG_LINK})
_WITHOUT_DATA = frozenset(
    {
        tar.HARD_LINK,
        tar.SYMLINK,
        tar.CHARACTER_DEVICE,
        tar.BLOCK_DEVICE,
        tar.DIRECTORY,
        tar.FIFO,
    }
)

_Records = dict[bytes, bytes]


def read_tar(source: ByteSource, *, blob: Digest) -> Iterator[Member]:
    """The members of the uncompressed tar in ``source``, in its order; ``blob`` is its digest.

    Names become guest paths (``./`` and leading slashes dropped).  Whiteouts come as the
    files they are; hard links may name what the archive lacks or brings later: ``overlay``
    gives both their meaning.  Types without data ignore a size, as Go and GNU tar do.

    Raises ``UnsafePath`` for a path with ``..``, and ``ArchiveError`` for whatever else is
    malformed, cut off, of unknown type, or beyond what Linux takes.
    """
    return TarReader(source, blob).members()


class TarReader:
    """``read_tar`` for those who want to know more of the members than a tree does.

    ``header`` and ``records`` are those of the member that came last: its plain header, and
    what extended headers say of it.
    """

    header: tar.Header
    records: _Records

    def __init__(self, source: ByteSource, blob: Digest) -> None:
        self._source = source
        self._size_bytes = source.size_bytes
        self._blob = blob
        self._window = b""
        self._window_start = 0
        self._global: _Records = {}
        self._pending: _Records = {}  # what extensions say of the next member only
        self._stretches = 0
        self._directories: dict[bytes, GuestPath] = {}
        self._metadata: dict[tuple[bytes, bytes, bytes, bytes], Metadata] = {}

    def members(self) -> Iterator[Member]:
        """See ``read_tar``."""
        if not self._size_bytes:
            raise ArchiveError("an empty file is no tar archive", offset=0)
        offset = 0
        while offset < self._size_bytes:
            block = self._read(offset, tar.BLOCK_BYTES)
            if not tar.checksum_holds(block):
                if block == tar.ZERO_BLOCK:
                    break
                raise ArchiveError(
                    f"no tar header at byte {offset}: its checksum is wrong", offset=offset
                )
            header = tar.HEADER.unpack(block)
            try:
                if header[_KIND] in _EXTENSIONS:
                    offset = self._extension(header, offset)
                else:
                    member, offset = self._member(block, header, offset)
                    yield member
            except ValueError as error:
                name = display(self._name(block, header))
                raise ArchiveError(f"{name}: {error}", member=name, offset=offset) from error
            except UnsafePath as error:
                error.offset = offset
                raise
        self._check_end(offset)

    def _check_end(self, offset: int) -> None:
        if self._pending:
            raise ArchiveError("an extended header without its member at the end", offset=offset)
        second = offset + tar.BLOCK_BYTES
        if second < self._size_bytes and self._read(second, tar.BLOCK_BYTES) != tar.ZERO_BLOCK:
            raise ArchiveError("a lone block of zeros stands among the members", offset=offset)

    def _extension(self, header: tar.Header, at: int) -> int:
        """Take note of an extension, and tell where the header after it begins."""
        kind, size = header[_KIND], tar.number(header[_SIZE])
        if not 0 <= size <= EXTENSION_MAX_BYTES:
            raise ValueError(
                f"an extended header of {size} bytes, {EXTENSION_MAX_BYTES} are the most taken"
            )
        start = at + tar.BLOCK_BYTES
        data = self._read(start, size)
        if kind == tar.GNU_LONG_NAME:
            self._pending[b"path"] = tar.text(data)
        elif kind == tar.GNU_LONG_LINK:
            self._pending[b"linkpath"] = tar.text(data)
        elif kind == tar.PAX:
            self._pending.update(pax.parse_records(data))
        else:
            self._global = _merged(self._global, pax.parse_records(data))
            taken = sum(len(key) + len(value) for key, value in self._global.items())
            if taken > GLOBAL_MAX_BYTES:
                raise ValueError(f"global pax records of {taken} bytes")
        return start + tar.padded(size)

    def _member(self, block: bytes, header: tar.Header, at: int) -> tuple[Member, int]:
        """The member whose header stands at ``at``, and where the next header begins."""
        records = self._take_records()
        self.header, self.records = header, records
        raw = records.get(b"path") or tar.full_name(block, header)
        kind = header[_KIND]
        if kind == tar.OLD_REGULAR and raw.endswith(b"/"):
            kind = tar.DIRECTORY  # as before POSIX
        data = at + tar.BLOCK_BYTES
        content: Content = EMPTY
        if kind in _FILES:
            size = _size(header, records)
            end = data + size
            if end > self._size_bytes:
                raise self._cut_off(raw, end)
            if records and not pax.SPARSE_KEYWORDS.isdisjoint(records):
                raw = records.get(b"GNU.sparse.name", raw)
                content = self._sparse_file(records, data, size)
            else:
                content = BlobSlice(self._blob, data, size) if size else EMPTY
            entry: Entry = RegularFile(self._metadata_of(header, records), content)
        elif kind in _WITHOUT_DATA:
            entry = self._without_data(kind, header, records)
            end = data
        elif kind == tar.GNU_SPARSE:
            content, end = self._old_sparse_file(block, header, records, data)
            entry = RegularFile(self._metadata_of(header, records), content)
        else:
            raise ValueError(f"a member of unknown type {kind!r}")
        if type(content) is SparseContent:
            self._stretches += len(content.runs)
            if self._stretches > STRETCHES_MAX:
                raise ValueError(f"sparse files of more than {STRETCHES_MAX} stretches of data")
        path = self._path(raw)
        if not path and kind != tar.DIRECTORY:
            raise ValueError("a member without a name that is no directory")
        return Member(path, entry), tar.padded(end)

    def _take_records(self) -> _Records:
        if not self._pending:
            return self._global
        records = _merged(self._global, self._pending)
        self._pending = {}
        return records

    def _without_data(self, kind: bytes, header: tar.Header, records: _Records) -> Entry:
        if kind == tar.DIRECTORY:
            return Directory(self._metadata_of(header, records))
        if kind == tar.HARD_LINK:
            return HardLink(self._path(_link_target(header, records)))
        if kind == tar.SYMLINK:
            target = _link_target(header, records)
            if not target or len(target) > PATH_MAX_BYTES or b"\0" in target:
                raise ValueError(f"a symbolic link to {target[:40]!r} ({len(target)} bytes)")
            return Symlink(self._metadata_of(header, records), target)
        if kind == tar.FIFO:
            return Fifo(self._metadata_of(header, records))
        major, minor = tar.number(header[13]), tar.number(header[14])
        if not (0 <= major <= _MAJOR_MAX and 0 <= minor <= _MINOR_MAX):
            raise ValueError(f"no device has the number {major}:{minor}")
        metadata = self._metadata_of(header, records)
        return Device(metadata, kind == tar.BLOCK_DEVICE, major, minor)

    def _metadata_of(self, header: tar.Header, records: _Records) -> Metadata:
        key = (header[1], header[2], header[3], header[5])
        if records:
            return _metadata(key, records)
        known = self._metadata.get(key)
        if known is None:
            if len(self._metadata) >= _CACHE_MAX:
                self._metadata.clear()
            known = self._metadata[key] = _metadata(key, records)
        return known

    def _path(self, raw: bytes) -> GuestPath:
        """``guest_path(raw)``, faster below a directory seen before."""
        directory, _, last = raw.rstrip(b"/").rpartition(b"/")
        known = self._directories.get(directory)
        if (
            known is not None
            and last not in _NO_NAMES
            and len(last) <= NAME_MAX_BYTES
            and b"\0" not in last
        ):
            path = GuestPath(known + b"/" + last) if known else GuestPath(last)
        else:
            path = guest_path(raw)
            if len(self._directories) >= _CACHE_MAX:
                self._directories.clear()
            self._directories[directory] = guest_path(directory)
        if len(path) > PATH_MAX_BYTES:
            raise ValueError(
                f"a path of {len(path)} bytes, {PATH_MAX_BYTES} is the most Linux takes"
            )
        return path

    def _sparse_file(self, records: _Records, data: int, size: int) -> Content:
        """A file in one of GNU's pax formats.  Raises ``ValueError``."""
        version = records.get(b"GNU.sparse.major"), records.get(b"GNU.sparse.minor")
        if version == (b"1", b"0"):
            head = self._read(data, min(size, sparse.SPARSE_MAP_MAX_BYTES))
            stretches, map_bytes = sparse.leading_map(head)
            real = records.get(b"GNU.sparse.realsize", b"")
        elif version in ((None, None), (b"0", b"0"), (b"0", b"1")):
            stretches, map_bytes = sparse.listed_map(records.get(pax.SPARSE_MAP, b"")), 0
            real = records.get(b"GNU.sparse.size", b"")
        else:
            raise ValueError(f"a sparse file of unknown version {version}")
        return sparse.sparse_content(
            stretches,
            blob=self._blob,
            offset=data + map_bytes,
            stored_bytes=size - map_bytes,
            real_bytes=pax.decimal(real),
        )

    def _old_sparse_file(
        self, block: bytes, header: tar.Header, records: _Records, data: int
    ) -> tuple[Content, int]:
        """A file in GNU's first sparse format, and where its data ends."""
        stretches, real, more = sparse.old_map(block)
        map_end = data
        while more:
            further, more = sparse.old_extension(self._read(map_end, tar.BLOCK_BYTES))
            stretches += further
            map_end += tar.BLOCK_BYTES
            if map_end - data > sparse.SPARSE_MAP_MAX_BYTES:
                raise ValueError("its sparse map is longer than bootsmith takes")
        size = _size(header, records)
        if map_end + size > self._size_bytes:
            raise self._cut_off(self._name(block, header), map_end + size)
        content = sparse.sparse_content(
            stretches, blob=self._blob, offset=map_end, stored_bytes=size, real_bytes=real
        )
        return content, map_end + size

    def _name(self, block: bytes, header: tar.Header) -> bytes:
        return self._pending.get(b"path") or tar.full_name(block, header)

    def _read(self, offset: int, size: int) -> bytes:
        start = offset - self._window_start
        if start < 0 or start + size > len(self._window):
            self._window = self._source.read_at(offset, max(size, _WINDOW_BYTES))
            self._window_start, start = offset, 0
            if len(self._window) < size:
                raise self._cut_off(b"", offset + size)
        return self._window[start : start + size]

    def _cut_off(self, name: bytes, end: int) -> ArchiveError:
        what = display(name) or "the archive"
        return ArchiveError(
            f"{what} is cut off: it goes on to byte {end}, the archive ends at {self._size_bytes}",
            member=display(name) or None,
            offset=self._size_bytes,
        )


def _merged(general: _Records, special: _Records) -> _Records:
    """Both, the special ones first; an empty value takes a general one back.

    Only an extended attribute may have an empty value of its own.
    """
    return {
        key: value
        for key, value in (general | special).items()
        if value or key.startswith(pax.SCHILY_XATTR)
    }


def _size(header: tar.Header, records: _Records) -> int:
    size = pax.decimal(records[b"size"]) if b"size" in records else tar.number(header[_SIZE])
    if size < 0:
        raise ValueError(f"a size of {size} bytes")
    return size


def _link_target(header: tar.Header, records: _Records) -> bytes:
    return records.get(b"linkpath") or tar.text(header[8])


def _metadata(fields: tuple[bytes, bytes, bytes, bytes], records: _Records) -> Metadata:
    mode, uid, gid, mtime = fields
    user = pax.decimal(records[b"uid"]) if b"uid" in records else tar.number(uid)
    group = pax.decimal(records[b"gid"]) if b"gid" in records else tar.number(gid)
    if not (0 <= user <= _ID_MAX and 0 <= group <= _ID_MAX):
        raise ValueError(f"no owner has the ids {user}:{group}")
    if b"mtime" in records:
        mtime_ns = pax.parse_time(records[b"mtime"])
    else:
        mtime_ns = tar.number(mtime) * 1_000_000_000
    if abs(mtime_ns) > pax.TIME_MAX_NS:
        raise ValueError(f"a time of {mtime_ns // 1_000_000_000} seconds")
    xattrs = pax.xattrs_of(records) if records else ()
    return Metadata(tar.number(mode) & 0o7777, user, group, mtime_ns, xattrs)

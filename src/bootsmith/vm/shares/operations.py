"""The operations of the shared file system: fields in, fields out."""

from __future__ import annotations

import errno
import itertools
import stat
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeAlias

from bootsmith.host.files import descriptor_limit
from bootsmith.host.shared_folder import (
    FileFacts,
    OpenFile,
    SharedFolder,
    SharePath,
    ShareRefused,
)
from bootsmith.vm.cbor import Value
from bootsmith.vm.shares.nodes import ShareNodes
from bootsmith.vm.shares.request import Request
from bootsmith.vm.shares.tree import ShareTree

MAX_DATA_BYTES = 60 << 10
MAX_COPY_BYTES = 16 << 20
MAX_OPEN_FILES = 4096
MAX_ENTRIES = 1024

_TTL_MS = 1000
_SIZE_MAX = (1 << 63) - 1

_MAY_WRITE = 2  # W_OK

_TYPES = {stat.S_IFDIR: 4, stat.S_IFREG: 8, stat.S_IFLNK: 10}  # DT_DIR, DT_REG, DT_LNK

Fields: TypeAlias = "dict[str, Value]"


class ShareOperations:
    """All operations on one tree, by the names they have on the wire."""

    def __init__(self, tree: ShareTree) -> None:
        self._tree = tree
        self._nodes = ShareNodes()
        self._files: dict[int, OpenFile] = {}
        self._handles = itertools.count(1)
        # The rest is for the host program itself.
        self._most_files = min(MAX_OPEN_FILES, descriptor_limit() // 2)
        self._table: dict[str, Callable[[Request], Fields]] = {
            "lookup": self._lookup,
            "getattr": self._getattr,
            "readlink": self._readlink,
            "statfs": self._statfs,
            "readdir": self._readdir,
            "open": self._open,
            "release": self._release,
            "read": self._read,
            "write": self._write,
            "create": self._create,
            "mkdir": self._mkdir,
            "symlink": self._symlink,
            "unlink": self._unlink,
            "rmdir": self._rmdir,
            "rename": self._rename,
            "link": self._link,
            "truncate": self._truncate,
            "access": self._access,
            "fallocate": self._fallocate,
            "copy_file_range": self._copy_file_range,
        }

    def run(self, operation: Value, request: Value) -> Fields:
        """The result of ``operation``.  Raises ``ShareRefused``."""
        run = self._table.get(operation) if isinstance(operation, str) else None
        if run is None:
            raise ShareRefused(errno.ENOSYS, f"operation {operation!r}")
        return run(Request(request))

    def close(self) -> None:
        """Let go of every open file."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _lookup(self, request: Request) -> Fields:
        return {"entry": self._entry(request.number("parent_ino"), request.name("name"))}

    def _getattr(self, request: Request) -> Fields:
        number = request.number("ino")
        facts = self._tree.facts(self._path(number))
        return {"attr": _attr(number, facts), "attr_ttl_ms": _TTL_MS}

    def _readlink(self, request: Request) -> Fields:
        place = self._tree.place(self._path(request.number("ino")))
        if place is None:
            raise ShareRefused(errno.EINVAL, "readlink")
        return {"target": place[0].target(place[1])}

    def _statfs(self, request: Request) -> Fields:
        return {"statfs": dict(self._tree.usage(self._path(request.number("ino"))))}

    def _readdir(self, request: Request) -> Fields:
        directory = request.number("ino")
        start = request.number("offset", default=0)
        limit = max(1, min(request.number("max_entries", default=MAX_ENTRIES), MAX_ENTRIES))
        names = self._tree.names(self._path(directory))
        entries: list[Value] = [
            {
                "ino": self._nodes.number(directory, name),
                "name": name,
                "type": _TYPES.get(stat.S_IFMT(mode), 0),
                "offset": start + index + 1,
            }
            for index, (name, mode) in enumerate(names[start : start + limit])
        ]
        end = start + len(entries)
        return {
            "entries": entries,
            "next_offset": end if end < len(names) else 0,
            "entry_ttl_ms": _TTL_MS,
        }

    def _open(self, request: Request) -> Fields:
        flags = request.flags("flags")
        place = self._tree.place(self._path(request.number("ino")))
        if place is None:
            raise ShareRefused(errno.EISDIR, "open")
        folder, path = place
        return self._opened(
            folder.open(path, flags.access, truncate=flags.truncate, append=flags.append)
        )

    def _release(self, request: Request) -> Fields:
        handle = request.number("fh")
        self._file(handle).close()
        del self._files[handle]
        return {}

    def _read(self, request: Request) -> Fields:
        size = request.number("size", most=MAX_DATA_BYTES)
        file = self._file(request.number("fh"))
        return {"data": file.read(request.number("offset", default=0), size)}

    def _write(self, request: Request) -> Fields:
        data = request.data("data", most=MAX_DATA_BYTES)
        file = self._file(request.number("fh"))
        return {"size": file.write(request.number("offset", default=0), data)}

    def _create(self, request: Request) -> Fields:
        parent, name = request.number("parent_ino"), request.name("name")
        flags = request.flags("flags", default=0)
        folder, path = self._changeable(parent, name)
        file = folder.create(
            path,
            flags.access,
            mode=request.number("mode", default=0o644),
            exclusive=flags.exclusive,
            truncate=flags.truncate,
            append=flags.append,
        )
        opened = self._opened(file)
        number = self._nodes.number(parent, name)
        return {"entry": _entry(number, file.facts()), **opened}

    def _mkdir(self, request: Request) -> Fields:
        parent, name = request.number("parent_ino"), request.name("name")
        folder, path = self._changeable(parent, name)
        folder.make_directory(path, mode=request.number("mode", default=0o755))
        return {"entry": self._entry(parent, name)}

    def _symlink(self, request: Request) -> Fields:
        parent, name = request.number("parent_ino"), request.name("name")
        folder, path = self._changeable(parent, name)
        folder.make_symlink(path, request.text("target"))
        return {"entry": self._entry(parent, name)}

    def _unlink(self, request: Request) -> Fields:
        parent, name = request.number("parent_ino"), request.name("name")
        folder, path = self._changeable(parent, name)
        folder.remove_file(path)
        self._nodes.remove(parent, name)
        return {}

    def _rmdir(self, request: Request) -> Fields:
        parent, name = request.number("parent_ino"), request.name("name")
        folder, path = self._changeable(parent, name)
        folder.remove_directory(path)
        self._nodes.remove(parent, name)
        return {}

    def _rename(self, request: Request) -> Fields:
        if request.number("flags", default=0) != 0:
            raise ShareRefused(errno.EINVAL, "rename with flags")
        old_parent, old_name = request.number("old_parent_ino"), request.name("old_name")
        new_parent, new_name = request.number("new_parent_ino"), request.name("new_name")
        old_folder, old_path = self._changeable(old_parent, old_name)
        new_folder, new_path = self._changeable(new_parent, new_name)
        if old_folder is not new_folder:
            raise ShareRefused(errno.EXDEV, "rename between shares")
        old_folder.rename(old_path, new_path)
        self._nodes.move(old_parent, old_name, new_parent, new_name)
        return {}

    def _link(self, request: Request) -> Fields:
        parent, name = request.number("new_parent_ino"), request.name("new_name")
        old = self._tree.place(self._path(request.number("old_ino")))
        folder, path = self._changeable(parent, name)
        if old is None or old[0] is not folder:
            raise ShareRefused(errno.EXDEV, "link between shares")
        folder.link(old[1], path)
        return {"entry": self._entry(parent, name)}

    def _truncate(self, request: Request) -> Fields:
        place = self._tree.place(self._path(request.number("ino")))
        if place is None:
            raise ShareRefused(errno.EISDIR, "truncate")
        place[0].truncate(place[1], request.number("size", most=_SIZE_MAX))
        return {}

    def _access(self, request: Request) -> Fields:
        path = self._path(request.number("ino"))
        self._tree.facts(path)
        place = self._tree.place(path)
        if request.number("mask", default=0, most=7) & _MAY_WRITE and (
            place is None or place[0].readonly
        ):
            raise ShareRefused(errno.EROFS, "access")
        return {}

    def _fallocate(self, request: Request) -> Fields:
        if request.number("mode", default=0) != 0:
            raise ShareRefused(errno.EOPNOTSUPP, "fallocate")
        end = request.number("offset", default=0) + request.number("length")
        if end > _SIZE_MAX:
            raise ShareRefused(errno.EFBIG, "fallocate")
        self._file(request.number("fh")).extend(end)
        return {}

    def _copy_file_range(self, request: Request) -> Fields:
        if request.number("flags", default=0) != 0:
            raise ShareRefused(errno.EINVAL, "copy_file_range with flags")
        source, target = (self._file(request.number(key)) for key in ("fh_in", "fh_out"))
        start, place = (request.number(key, default=0) for key in ("off_in", "off_out"))
        # Less than asked for is allowed, and what takes long would hold up the machine's end.
        length = min(request.number("len", most=0xFFFFFFFF), MAX_COPY_BYTES)
        if source.is_same_as(target) and start < place + length and place < start + length:
            raise ShareRefused(errno.EINVAL, "copy_file_range onto itself")
        copied = 0
        while copied < length:
            data = source.read(start + copied, min(MAX_DATA_BYTES, length - copied))
            if not data:
                break
            copied += target.write(place + copied, data)
        return {"size": copied}

    def _path(self, number: int) -> SharePath:
        path = self._nodes.path(number)
        if path is None:
            raise ShareRefused(errno.ENOENT, f"inode {number}")
        return path

    def _changeable(self, parent: int, name: str) -> tuple[SharedFolder, SharePath]:
        return self._tree.changeable((*self._path(parent), name))

    def _entry(self, parent: int, name: str) -> Fields:
        facts = self._tree.facts((*self._path(parent), name))
        return _entry(self._nodes.number(parent, name), facts)

    def _opened(self, file: OpenFile) -> Fields:
        if len(self._files) >= self._most_files:
            file.close()
            raise ShareRefused(errno.ENFILE, "open")
        handle = next(self._handles)
        self._files[handle] = file
        return {"fh": handle, "open_flags": 0}

    def _file(self, handle: int) -> OpenFile:
        file = self._files.get(handle)
        if file is None:
            raise ShareRefused(errno.EBADF, f"handle {handle}")
        return file


def _entry(number: int, facts: FileFacts) -> Fields:
    return {
        "ino": number,
        "attr": _attr(number, facts),
        "attr_ttl_ms": _TTL_MS,
        "entry_ttl_ms": _TTL_MS,
    }


def _attr(number: int, facts: FileFacts) -> Fields:
    return {"ino": number, **asdict(facts)}

"""The host's side of ``virtio-fs`` for the tests of the guest's: a folder, served plainly.

It guards against nothing (no symbolic link is checked, no handle limited): it exists so that
sandboxfs has someone to talk to who was not written together with it.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.agent_client import AgentClient, ConnectionLost

_TTL_MS = 0
_READ_MAX = 61_440

Fields = dict[str, Any]


class ShareHost:
    """Serves ``root`` until the line ends.  ``asked`` counts the requests by operation."""

    def __init__(self, root: Path, client: AgentClient, *, takes_attributes: bool = True) -> None:
        self._client = client
        self._paths = {1: root}
        self._nodes = {root: 1}
        self._takes_attributes = takes_attributes
        self.asked: dict[str, int] = {}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        try:
            self._answer_all()
        except (ConnectionLost, ConnectionError):
            return

    def _answer_all(self) -> None:
        while True:
            message = self._client.receive()
            assert message.kind == "fs_request"
            assert message.body.keys() == {"op", "req"}
            op = message.body["op"]
            self.asked[op] = self.asked.get(op, 0) + 1
            answer: Fields = {"op": op, "err": 0}
            try:
                answer["res"] = self._operation(op)(**message.body["req"])
            except OSError as error:
                answer |= {"err": error.errno or errno.EIO, "message": str(error)}
                if op == "lookup":
                    answer["res"] = {"entry_ttl_ms": _TTL_MS}
            self._client.send("fs_response", message.id, **answer)

    def _operation(self, op: str) -> Callable[..., Fields]:
        found = getattr(self, f"_do_{op}", None)
        if found is None or (op == "setattr" and not self._takes_attributes):
            raise OSError(errno.ENOSYS, op)
        assert callable(found)
        return found  # type: ignore[no-any-return]

    def _do_lookup(self, parent_ino: int, name: str) -> Fields:
        return {"entry": self._entry(self._paths[parent_ino] / name)}

    def _do_getattr(self, ino: int) -> Fields:
        return {"attr": self._attributes(self._paths[ino]), "attr_ttl_ms": _TTL_MS}

    def _do_setattr(self, ino: int, **wanted: int) -> Fields:
        path = self._paths[ino]
        status = path.lstat()
        if wanted.keys() & {"uid", "gid"}:
            os.chown(path, wanted.get("uid", -1), wanted.get("gid", -1), follow_symlinks=False)
        if "mode" in wanted:
            path.chmod(wanted["mode"])
        if wanted.keys() & {"atime_ms", "mtime_ms"}:
            atime_ns = wanted.get("atime_ms", status.st_atime_ns // 10**6) * 10**6
            mtime_ns = wanted.get("mtime_ms", status.st_mtime_ns // 10**6) * 10**6
            os.utime(path, ns=(atime_ns, mtime_ns), follow_symlinks=False)
        return {}

    def _do_readlink(self, ino: int) -> Fields:
        return {"target": str(self._paths[ino].readlink())}

    def _do_readdir(self, ino: int, offset: int, max_entries: int) -> Fields:
        names = sorted(path.name for path in self._paths[ino].iterdir())
        entries = []
        for index, name in enumerate(names[offset : offset + max_entries], offset + 1):
            path = self._paths[ino] / name
            kind = 4 if path.is_dir() and not path.is_symlink() else 10 if path.is_symlink() else 8
            node = self._node(path)
            entries.append({"ino": node, "name": name, "type": kind, "offset": index})
        end = offset + len(entries)
        return {"entries": entries, "next_offset": 0 if end >= len(names) else end}

    def _do_open(self, ino: int, flags: int) -> Fields:
        return {"fh": os.open(self._paths[ino], flags & ~os.O_EXCL), "open_flags": 0}

    def _do_create(self, parent_ino: int, name: str, mode: int, flags: int) -> Fields:
        path = self._paths[parent_ino] / name
        handle = os.open(path, flags | os.O_CREAT, mode)
        return {"entry": self._entry(path), "fh": handle, "open_flags": 0}

    def _do_release(self, fh: int) -> Fields:
        os.close(fh)
        return {}

    def _do_read(self, fh: int, offset: int, size: int) -> Fields:
        assert 0 < size <= _READ_MAX
        return {"data": os.pread(fh, size, offset)}

    def _do_write(self, fh: int, offset: int, data: bytes) -> Fields:
        assert len(data) <= _READ_MAX
        return {"size": os.pwrite(fh, data, offset)}

    def _do_mkdir(self, parent_ino: int, name: str, mode: int) -> Fields:
        path = self._paths[parent_ino] / name
        path.mkdir(mode)
        return {"entry": self._entry(path)}

    def _do_symlink(self, parent_ino: int, name: str, target: str) -> Fields:
        path = self._paths[parent_ino] / name
        path.symlink_to(target)
        return {"entry": self._entry(path)}

    def _do_link(self, old_ino: int, new_parent_ino: int, new_name: str) -> Fields:
        path = self._paths[new_parent_ino] / new_name
        path.hardlink_to(self._paths[old_ino])
        return {"entry": self._entry(path)}

    def _do_unlink(self, parent_ino: int, name: str) -> Fields:
        (self._paths[parent_ino] / name).unlink()
        return {}

    def _do_rmdir(self, parent_ino: int, name: str) -> Fields:
        (self._paths[parent_ino] / name).rmdir()
        return {}

    def _do_rename(
        self, old_parent_ino: int, old_name: str, new_parent_ino: int, new_name: str, flags: int
    ) -> Fields:
        if flags:
            raise OSError(errno.EINVAL, "rename")
        old, new = self._paths[old_parent_ino] / old_name, self._paths[new_parent_ino] / new_name
        old.rename(new)
        if old in self._nodes:
            node = self._nodes.pop(old)
            self._nodes[new], self._paths[node] = node, new
        return {}

    def _do_truncate(self, ino: int, size: int) -> Fields:
        os.truncate(self._paths[ino], size)
        return {}

    def _do_fallocate(self, fh: int, offset: int, length: int, mode: int) -> Fields:
        if mode:
            raise OSError(errno.EOPNOTSUPP, "fallocate")
        os.posix_fallocate(fh, offset, length)
        return {}

    def _do_copy_file_range(self, **wanted: int) -> Fields:
        assert wanted["flags"] == 0
        source, target = wanted["fh_in"], wanted["fh_out"]
        offsets = wanted["off_in"], wanted["off_out"]
        return {"size": os.copy_file_range(source, target, wanted["len"], *offsets)}

    def _do_statfs(self, ino: int) -> Fields:
        found = os.statvfs(self._paths[ino])
        return {
            "statfs": {
                "blocks": found.f_blocks,
                "bfree": found.f_bfree,
                "bavail": found.f_bavail,
                "files": found.f_files,
                "ffree": found.f_ffree,
                "bsize": found.f_bsize,
                "frsize": found.f_frsize,
                "namelen": found.f_namemax,
            }
        }

    def _entry(self, path: Path) -> Fields:
        attributes = self._attributes(path)
        return {
            "ino": attributes["ino"],
            "attr": attributes,
            "attr_ttl_ms": _TTL_MS,
            "entry_ttl_ms": _TTL_MS,
        }

    def _attributes(self, path: Path) -> Fields:
        status = path.lstat()
        return {
            "ino": self._node(path),
            "mode": status.st_mode,
            "nlink": status.st_nlink,
            "uid": status.st_uid,
            "gid": status.st_gid,
            "size": status.st_size,
            "atime_ms": status.st_atime_ns // 10**6,
            "mtime_ms": status.st_mtime_ns // 10**6,
            "ctime_ms": status.st_ctime_ns // 10**6,
        }

    def _node(self, path: Path) -> int:
        node = self._nodes.setdefault(path, len(self._nodes) + 1)
        self._paths[node] = path
        return node

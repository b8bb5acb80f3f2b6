"""A download that may be cut off and continued, by this process or a later one."""

from __future__ import annotations

from pathlib import Path

from bootsmith.host.files import host_error, iter_file_object
from bootsmith.host.hash_beside import HashBeside
from bootsmith.host.paths import ensure_folder
from bootsmith.model.digest import Descriptor


class PartialFile:
    """Appends to ``path`` and knows the digest of all it holds.

    What is already there when it is opened counts.  Only one process may have it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        ensure_folder(path.parent)
        try:
            self._file = path.open("a+b")
            self._file.seek(0)
            self._hasher = HashBeside()
            self.size_bytes = 0
            for chunk in iter_file_object(self._file):
                self._hasher.update(chunk)
                self.size_bytes += len(chunk)
        except OSError as error:
            raise host_error(error, "write", path) from error

    def append(self, data: bytes) -> None:
        self._hasher.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise host_error(error, "write", self.path) from error
        self.size_bytes += len(data)

    def restart(self) -> None:
        """Forget everything."""
        self._file.truncate(0)
        self._hasher.close()
        self._hasher = HashBeside()
        self.size_bytes = 0

    def close(self) -> None:
        self._hasher.close()
        try:
            self._file.close()
        except OSError as error:
            raise host_error(error, "write", self.path) from error

    def descriptor(self) -> Descriptor:
        return Descriptor(digest=self._hasher.digest(), size_bytes=self.size_bytes)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

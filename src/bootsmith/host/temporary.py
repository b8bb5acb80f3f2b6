"""Private folders for the time a program runs."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

from bootsmith.host.files import host_error
from bootsmith.host.guardian import Guardian
from bootsmith.host.publish import sync_folder


class RuntimeFolder:
    """A folder only this user can enter, which is gone afterwards, however the process ends.

    Raises ``HostError`` when it cannot be made.
    """

    def __init__(self, *, prefix: str = "bootsmith-", parent: Path | None = None) -> None:
        try:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        except OSError as error:
            raise host_error(error, "create a folder in", parent or Path("/tmp")) from error  # noqa: S108
        try:
            self.guardian = Guardian(self.path)
        except BaseException:
            self._remove()
            raise

    def keep(self, made: Path, target: Path) -> None:
        """Move a file out of the folder to ``target``, in one step and for good.

        Both must lie on one file system.  Raises ``HostError`` when it cannot be done.
        """
        try:
            fd = os.open(made, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            made.replace(target)
            sync_folder(target.absolute().parent)
        except OSError as error:
            raise host_error(error, "write", target) from error

    def close(self) -> None:
        """Remove the folder with all that is in it; a second call does nothing."""
        self._remove()
        self.guardian.release()

    def _remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

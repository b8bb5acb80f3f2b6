"""Private folders for the time a program runs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Self

from bootsmith.host.files import host_error
from bootsmith.host.guardian import Guardian


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

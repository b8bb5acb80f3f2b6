"""What a long piece of work tells whoever watches it.

Rooms report; only ``cli/`` decides what a person sees.
"""

from __future__ import annotations

import sys
import warnings
from typing import Protocol


class Reporter(Protocol):
    """Watches a build.  Every method may be called from several threads at once."""

    def stage(self, title: str) -> None:
        """A new stage of the work begins."""

    def detail(self, text: str) -> None:
        """Something worth knowing when one looks closely."""

    def warning(self, text: str) -> None:
        """Something the user should see although the work goes on."""

    def output(self, label: str, data: bytes) -> None:
        """A command inside the image printed ``data``."""

    def transfer_started(self, *, blobs: int, size_bytes: int) -> None:
        """So much will be downloaded."""

    def transferred(self, size_bytes: int) -> None:
        """So many more bytes have arrived."""

    def transfer_ended(self) -> None:
        """Everything has arrived."""


class Silent:
    """A reporter for those who do not want to know."""

    def stage(self, title: str) -> None:
        pass

    def detail(self, text: str) -> None:
        pass

    def warning(self, text: str) -> None:
        pass

    def output(self, label: str, data: bytes) -> None:
        pass

    def transfer_started(self, *, blobs: int, size_bytes: int) -> None:
        pass

    def transferred(self, size_bytes: int) -> None:
        pass

    def transfer_ended(self) -> None:
        pass


class PythonWarnings(Silent):
    """For programs that chose no reporter: warnings are Python's ``UserWarning``, at the line
    that called bootsmith, to be shown, hidden or raised as the program likes."""

    def warning(self, text: str) -> None:
        warnings.warn(text, UserWarning, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Whose line it is for the function that asks: 1 its own, and so on up to the first frame
    that is not ours."""
    package = __name__.partition(".")[0]
    frame, level = sys._getframe(1), 1  # noqa: SLF001 - `inspect` is long to load
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level

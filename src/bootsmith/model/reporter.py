"""What a long piece of work tells whoever watches it.

Rooms report; only ``cli/`` decides what a person sees.
"""

from __future__ import annotations

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

"""What a command prints, in lines, with its end kept for the error message."""

from __future__ import annotations

from bootsmith.sandbox.executor import OnOutput

_LINE_MAX_BYTES = 64 << 10
_TAIL_BYTES = 8 << 10


class Lines:
    """Passes on whole lines of one command; a line without end is cut at 64 KiB."""

    def __init__(self, label: str, on_output: OnOutput) -> None:
        self._label = label
        self._on_output = on_output
        self._partial = b""
        self._tail = b""

    @property
    def tail(self) -> str:
        """The last 8 KiB of what was printed."""
        return self._tail.decode("utf-8", "replace").strip()

    def add(self, data: bytes) -> None:
        """Take what came, which may end anywhere."""
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        *whole, self._partial = (self._partial + data).split(b"\n")
        for line in whole:
            self._on_output(self._label, line)
        if len(self._partial) > _LINE_MAX_BYTES:
            self.end()

    def end(self) -> None:
        """Pass on what has no line end."""
        if self._partial:
            self._on_output(self._label, self._partial)
            self._partial = b""

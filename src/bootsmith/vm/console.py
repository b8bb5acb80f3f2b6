"""The guest's serial console: its end kept, its first sign of life and its panics noticed."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from bootsmith.host.channel import Channel
from bootsmith.model.plain_text import plain_text

_KEPT_BYTES = 64 << 10
_TAIL_LINES = 25
_PANIC = re.compile(rb"Kernel panic - not syncing: [^\r\n]*(?=[\r\n])")
_COMPLAINT = re.compile(
    r"^bootsmith: (.+)\n.*Kernel panic - not syncing: Attempted to kill init", re.MULTILINE
)


class Console:
    """Reads the console for as long as the machine runs.

    ``on_change`` is called by the reading thread at the first output, at a panic and at the end;
    ``on_output`` with everything that is printed.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        on_change: Callable[[], None] = lambda: None,
        on_output: Callable[[bytes], object] | None = None,
    ) -> None:
        self._channel = channel
        self._on_change = on_change
        self._on_output = on_output
        self._kept = bytearray()
        self._lock = threading.Lock()
        self.has_output = False
        self.has_ended = False
        self.panic: str | None = None
        self._reader = threading.Thread(target=self._read, name="bootsmith-console", daemon=True)
        self._reader.start()

    def tail(self, *, lines: int = _TAIL_LINES) -> str:
        """The last lines, without terminal control sequences."""
        return "\n".join(self._text().split("\n")[-lines - 1 :]).rstrip("\n")

    def complaint(self) -> str | None:
        """What our own init said with its last breath, when that is what the kernel panicked at."""
        # Not in the tail: what the kernel prints after its panic may be longer than that.
        found = _COMPLAINT.search(self._text())
        return found[1] if found else None

    def send(self, data: bytes) -> None:
        """Type ``data``.  Raises ``HostError`` when the machine has ended."""
        self._channel.send(data)

    def close(self) -> None:
        """Stop reading; what was kept stays."""
        self._channel.hang_up()
        self._reader.join()
        self._channel.close()

    def _text(self) -> str:
        """What is kept, without terminal control sequences."""
        with self._lock:
            text = self._kept.decode("utf-8", "replace")
        return plain_text(text)

    def _read(self) -> None:
        while data := self._channel.receive():
            if self._on_output is not None:
                self._on_output(data)
            if self._keep(data):
                self._on_change()
        self.has_ended = True
        self._on_change()

    def _keep(self, data: bytes) -> bool:
        """Whether something has happened that others wait for."""
        first = not self.has_output
        self.has_output = True
        with self._lock:
            # A panic's line may come in pieces: look again at what came just before.
            seam = max(0, len(self._kept) - 512)
            self._kept += data
            found = _PANIC.search(self._kept, seam) if self.panic is None else None
            del self._kept[:-_KEPT_BYTES]
        if found is not None:
            self.panic = plain_text(found[0].decode("utf-8", "replace"))
        return first or found is not None

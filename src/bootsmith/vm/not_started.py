"""What a command that could not be started says: the words and the status of a shell.

The agent says it in place of the command, under its own name, as all that is printed; its exit code
is then 127, whatever the reason (CONTRACTS §3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bootsmith.vm.stream import Stream

NOT_FOUND = 127
CANNOT_RUN = 126

_SPEAKER = b"sandboxd: "
_AGENTS_EXIT_CODE = 127
_REASON_MOST_BYTES = 80
_REASON = re.compile(rb"([^\r\n]+)(\r?\n)")
_ABSENT = {b"no such file or directory", b"not a directory"}


class Beginning:
    """The beginning of a command's output, held back while it may be the agent's.

    The agent has no other way to be heard than the command's, so a command that prints just
    what the agent would, and ends in the same way, is taken for one that could not be started.
    """

    def __init__(self, *, program: str, folder: str | None, has_terminal: bool) -> None:
        self._program = program.encode("utf-8", "surrogateescape")
        self._folder = None if folder is None else folder.encode("utf-8", "surrogateescape")
        self._stream = Stream.STDOUT if has_terminal else Stream.STDERR
        self._held = b""
        self._is_over = False

    def pass_on(self, stream: Stream, data: bytes) -> Iterator[tuple[Stream, bytes]]:
        """What of the output is the command's for certain, now that ``data`` has come, too."""
        if not self._is_over:
            if stream is self._stream and self._may_begin(self._held + data):
                self._held += data
                return
            yield from self._given_up()
        yield stream, data

    def end(self, exit_code: int) -> tuple[int, Iterator[tuple[Stream, bytes]]]:
        """The exit code as a shell has it, and the rest of the output likewise."""
        told = None
        if exit_code == _AGENTS_EXIT_CODE:
            told = self._about_folder() or self._about_program()
        if told is None:
            return exit_code, self._given_up()
        status, text = told
        return status, iter([(self._stream, text)])

    def _given_up(self) -> Iterator[tuple[Stream, bytes]]:
        self._is_over = True
        held, self._held = self._held, b""
        if held:
            yield self._stream, held

    def _may_begin(self, data: bytes) -> bool:
        """Whether a complaint of the agent's begins with ``data``, or is it."""
        for subject in (self._program, self._folder):
            if subject is None:
                continue
            start = _start(subject)
            if start.startswith(data):
                return True
            if data.startswith(start):
                line, end, rest = data[len(start) :].partition(b"\n")
                if len(line) <= _REASON_MOST_BYTES and not (end and rest):
                    return True
        return False

    def _about_folder(self) -> tuple[int, bytes] | None:
        if self._folder is None or (found := self._reason(self._folder)) is None:
            return None
        reason, end = found
        return NOT_FOUND, self._folder + b": cannot be entered: " + reason + end

    def _about_program(self) -> tuple[int, bytes] | None:
        if (found := self._reason(self._program)) is None:
            return None
        reason, end = found
        if reason not in _ABSENT:
            return CANNOT_RUN, self._program + b": cannot be run: " + reason + end
        if b"/" in self._program:
            # It may be there and lack its interpreter, of which the kernel says the same.
            return NOT_FOUND, self._program + b": " + reason + end
        return NOT_FOUND, self._program + b": not found" + end

    def _reason(self, subject: bytes) -> tuple[bytes, bytes] | None:
        """Why the agent could not do with ``subject`` what it had to, and the end of its line."""
        start = _start(subject)
        found = _REASON.fullmatch(self._held[len(start) :])
        return (found[1], found[2]) if found and self._held.startswith(start) else None


def _start(subject: bytes) -> bytes:
    return _SPEAKER + subject + b": "

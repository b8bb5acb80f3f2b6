"""This process's own input and output, as bytes and without buffers of Python's.

A thread that waits in a buffered reader holds its lock, and the interpreter aborts when it
ends meanwhile; a plain ``read(2)`` is simply given up.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bootsmith.errors import HostError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDIN, STDOUT, STDERR = 0, 1, 2
_CHUNK_BYTES = 64 << 10


def is_terminal(descriptor: int) -> bool:
    """Whether it is a terminal; one that is closed is none."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def occupy_closed() -> None:
    """Give the numbers of standard streams that are closed to nothing, before a socket gets them
    and is taken for one.

    What is read there is at its end; what is written there fails, as it would have.
    """
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free, which is this one.  Not to be written to.
            taken = os.open(os.devnull, os.O_RDONLY)
            os.set_inheritable(taken, True)  # noqa: FBT003


def tell_failed_output() -> None:
    """From now on what is printed raises ``HostError`` when it cannot be written, and
    ``BrokenPipeError`` when nobody reads any more."""
    if sys.stdout is not None:
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(STDOUT, "wb", closefd=False)),
            encoding=sys.stdout.encoding,
            errors=sys.stdout.errors,
            line_buffering=bool(sys.stdout.line_buffering),
        )


class _Output(io.FileIO):
    """Fails once: what Python still holds when the failure was told would fail again, in words of
    the interpreter's, when the process ends."""

    _has_failed = False

    def write(self, data: ReadableBuffer, /) -> int | None:  # type: ignore[override]
        if self._has_failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            self._has_failed = True
            raise
        except OSError as error:
            self._has_failed = True
            raise _unwritable(error) from error


def read_chunks(descriptor: int) -> Iterator[bytes]:
    """What comes in, as it comes, up to its end."""
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        yield chunk


def writer(descriptor: int) -> Callable[[bytes], None]:
    """Writes all it is given at once.  Raises ``BrokenPipeError`` when nobody reads any more and
    ``HostError`` when it cannot be written for another reason."""

    def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(descriptor, view) :]
            except BrokenPipeError:
                raise
            except OSError as error:
                raise _unwritable(error) from error

    return write


def _unwritable(error: OSError) -> HostError:
    return HostError(f"cannot write the output: {error.strerror}")

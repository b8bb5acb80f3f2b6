"""The kernel that libkrunfw carries: taken out of the library, or out of the source it is made of.

libkrunfw is a shared library around one array, ``KERNEL_BUNDLE``, which a C compiler makes of a
generated ``kernel.c``: string literals of nothing but ``\\x`` escapes, sixteen bytes a line.  The
array ends with the string's own NUL, which is none of the kernel's bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bootsmith.errors import ArchiveError
from bootsmith.image.elf import ElfFile
from bootsmith.image.kernel_image import KERNEL_MAX_BYTES
from bootsmith.model.arch import Arch

_BUNDLE = b"KERNEL_BUNDLE"
_DEFINITION = re.compile(rb'\bKERNEL_BUNDLE\s*\[\s*\]\s*=\s*"')
_DEFINITION_MAX_BYTES = 64 << 10  # what may stand before it and be looked through
_ESCAPE = b"\\x"
_NEXT_LITERAL = b'"\n"'
_REST_MAX_BYTES = len(b'\\xff"\n')  # an escape, and as much of what may follow it
_VALUES = {
    text.encode(): value
    for value in range(256)
    for text in (f"{value:x}", f"{value:02x}", f"{value:X}", f"{value:02X}")
}


def kernel_of_library(data: bytes, arch: Arch) -> bytes:
    """The kernel in the shared library ``data``, which is for ``arch``; nothing of it is run.

    Raises ``ArchiveError`` when it is for another architecture, damaged, or holds none.
    """
    library = ElfFile(data)
    if library.machine != arch.elf_machine:
        raise ArchiveError(f"a library for machine {library.machine}, not for {arch}")
    for symbol in library.exported_symbols():
        if symbol.name == _BUNDLE and not symbol.is_undefined:
            break
    else:
        raise ArchiveError(f"the library exports no {_BUNDLE.decode()}")
    if symbol.size_bytes > KERNEL_MAX_BYTES:
        raise ArchiveError(f"a kernel of {symbol.size_bytes} bytes")
    return library.loaded(symbol.address, symbol.size_bytes).removesuffix(b"\0")


def kernel_of_source(text: Iterable[bytes]) -> Iterator[bytes]:
    """The kernel in the source ``text`` of the library, both in chunks.

    A kernel is a hundred megabytes of source, so it is never in memory as a whole.  Raises
    ``ArchiveError`` when the source is cut off, or other than the release's generator writes it.
    """
    chunks = iter(text)
    for escapes in _joined(_after_definition(chunks), chunks):
        before, *values = escapes.split(_ESCAPE)
        try:
            yield bytes(map(_VALUES.__getitem__, values))
        except KeyError as error:
            before = error.args[0]
        if before:
            raise ArchiveError(f"{before[:20]!r} is no byte in a kernel's source")


def _after_definition(chunks: Iterator[bytes]) -> bytes:
    """What has been read behind the quote that opens the array's first literal."""
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        if found := _DEFINITION.search(buffer):
            return buffer[found.end() :]
        if len(buffer) > _DEFINITION_MAX_BYTES:
            break
    raise ArchiveError(f"the source does not define {_BUNDLE.decode()}")


def _joined(buffer: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The text of all literals, as stretches of whole escapes."""
    while True:
        buffer = buffer.replace(_NEXT_LITERAL, b"")
        end = buffer.find(b'"')
        if end >= 0 and buffer.startswith(b'";', end):
            yield buffer[:end]
            return
        whole = buffer.rfind(_ESCAPE)  # the last may go on in the next chunk
        if len(buffer) - max(whole, 0) > _REST_MAX_BYTES:
            raise ArchiveError("the source is not what libkrunfw's generator writes")
        if whole > 0:
            yield buffer[:whole]
            buffer = buffer[whole:]
        chunk = next(chunks, None)
        if chunk is None:
            raise ArchiveError("the source is cut off inside the kernel")
        buffer += chunk

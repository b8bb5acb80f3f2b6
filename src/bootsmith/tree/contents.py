"""The bytes of a file's content, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterator

from bootsmith.errors import ImageError
from bootsmith.model.streams import BlobSource, ByteSink, chunks
from bootsmith.tree.entry import Content, InlineBytes, runs

_ZEROS = bytes(1 << 16)
_WHOLE_MAX_BYTES = 256 << 20


def content_chunks(content: Content, *, blobs: BlobSource) -> Iterator[bytes]:
    """The content in chunks of at most 1 MiB, holes as zeros."""
    position = 0
    for run in runs(content):
        yield from _zeros(run.offset - position)
        if isinstance(run.data, InlineBytes):
            yield run.data.data
        else:
            source = blobs.open_blob(run.data.blob)
            yield from chunks(source, run.data.offset, run.data.size_bytes)
        position = run.offset + run.data.size_bytes
    yield from _zeros(content.size_bytes - position)


def read_content(
    content: Content, *, blobs: BlobSource, most_bytes: int = _WHOLE_MAX_BYTES
) -> bytes:
    """The whole of a small content.  Raises ``ImageError`` when it is over ``most_bytes``."""
    if content.size_bytes > most_bytes:
        raise ImageError(f"a file of {content.size_bytes} bytes, expected at most {most_bytes}")
    return b"".join(content_chunks(content, blobs=blobs))


def write_content(content: Content, *, blobs: BlobSource, sink: ByteSink) -> None:
    """Write the content to ``sink``, holes as holes."""
    position = 0
    for run in runs(content):
        if run.offset > position:
            sink.skip(run.offset - position)
        if isinstance(run.data, InlineBytes):
            sink.write(run.data.data)
        else:
            source = blobs.open_blob(run.data.blob)
            sink.copy_from(source, run.data.offset, run.data.size_bytes)
        position = run.offset + run.data.size_bytes
    if content.size_bytes > position:
        sink.skip(content.size_bytes - position)


def _zeros(size_bytes: int) -> Iterator[bytes]:
    while size_bytes > 0:
        yield _ZEROS[:size_bytes]
        size_bytes -= len(_ZEROS)

"""What a sandbox changed on its way into the store, written once."""

from __future__ import annotations

from collections.abc import Iterable

from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.streams import BlobStore, ByteSource
from bootsmith.sandbox.executor import StoredLayer
from bootsmith.tree.entry import Member
from bootsmith.tree.layer import Layer
from bootsmith.tree.tar_writer import store_tar

SCRATCH = Digest.of(b"the contents of what a sandbox changed, while they are still in the sandbox")
"""Names the sandbox's own copy of the contents: a blob that nobody keeps, and nobody hashes."""


def store_layer(members: Iterable[Member], *, scratch: ByteSource, blobs: BlobStore) -> StoredLayer:
    """Keep ``members``, whose contents are slices of ``SCRATCH``, as one blob of their own."""
    blob, stored = store_tar(members, store=_WithScratch(blobs, scratch))
    return StoredLayer(blob=blob, layer=Layer(stored))


class _WithScratch:
    """A store in which the sandbox's contents are, too."""

    def __init__(self, blobs: BlobStore, scratch: ByteSource) -> None:
        self._blobs = blobs
        self._scratch = scratch

    def open_blob(self, blob: Digest) -> ByteSource:
        return self._scratch if blob == SCRATCH else self._blobs.open_blob(blob)

    def add_blob(self, data: Iterable[bytes], *, expected: Descriptor | None = None) -> Descriptor:
        return self._blobs.add_blob(data, expected=expected)

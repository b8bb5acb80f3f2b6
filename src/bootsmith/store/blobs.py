"""The bytes we have, by digest.

Layout below the root::

    blobs/sha256/<hex>        the bytes, checked (``host.object_folder``)
    derived/<kind>/<hex>      the blob that was made from the blob or step <hex>
    partial/<hex>             a download under way, or cut off and to be continued
    indexes/<hex>             validators and digest of the index at an address of this digest
    published/<hex>           identities of the files in an output folder
    work/                     room for sandboxes
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock

from bootsmith.errors import ImageError
from bootsmith.host.files import FileSource
from bootsmith.host.locks import locked_to_fill
from bootsmith.host.object_folder import ObjectFolder, RecordFolder
from bootsmith.host.partial_file import PartialFile
from bootsmith.model.digest import Descriptor, Digest

_OPEN_BLOBS = 256  # well under the usual limit of 1,024 open files


class Store:
    """Blobs and what was derived from them; safe for several processes and threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = ObjectFolder(root / "blobs")
        self._derived = RecordFolder(root / "derived")
        self._open: OrderedDict[Digest, FileSource] = OrderedDict()
        self._lock = Lock()

    def has(self, digest: Digest) -> bool:
        """Whether the blob is here and unchanged since it was checked."""
        return digest in self._open or self.blobs.holds(digest)

    def open_blob(self, blob: Digest) -> FileSource:
        """The blob's bytes.  Raises ``ImageError`` when it is not here.

        The source is shared and is closed with the store's last use of it.
        """
        with self._lock:
            source = self._open.get(blob)
            if source is None:
                try:
                    source = self.blobs.open(blob)
                except FileNotFoundError:
                    raise ImageError(
                        f"the blob {blob} is not in the store at {self.root}",
                        hint="build again without --offline",
                    ) from None
                self._open[blob] = source
                if len(self._open) > _OPEN_BLOBS:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(blob)
            return source

    def add_blob(self, data: Iterable[bytes], *, expected: Descriptor | None = None) -> Descriptor:
        """Keep ``data``; see ``BlobStore``."""
        return self.blobs.add(data, expected=expected)

    def derived(self, kind: str, key: Digest) -> Descriptor | None:
        """The blob once made from ``key`` in the way ``kind``, if it is still here."""
        text = self._derived.read(f"{kind}/{key.hex}")
        if text is None:
            return None
        try:
            fields = json.loads(text)
            found = Descriptor(
                digest=Digest.parse(fields["digest"]),
                size_bytes=int(fields["size_bytes"]),
                media_type=str(fields["media_type"]),
            )
        except (ValueError, KeyError, TypeError, ImageError):
            self._derived.remove(f"{kind}/{key.hex}")  # damaged: it is only a cache, make it again
            return None
        return found if self.has(found.digest) else None

    def record_derived(self, kind: str, key: Digest, descriptor: Descriptor) -> None:
        """Remember that ``descriptor`` was made from ``key`` in the way ``kind``."""
        fields = {
            "digest": str(descriptor.digest),
            "size_bytes": descriptor.size_bytes,
            "media_type": descriptor.media_type,
        }
        self._derived.write(f"{kind}/{key.hex}", json.dumps(fields).encode())

    def fetching(self, key: Digest) -> AbstractContextManager[None]:
        """Hold the download of ``key`` against every other process that uses this store."""
        return locked_to_fill(self._partial_path(key))

    @property
    def indexes(self) -> RecordFolder:
        """What is remembered of package indexes (``index_cache``)."""
        return RecordFolder(self.root / "indexes")

    @property
    def published(self) -> RecordFolder:
        """What is remembered of output folders, by the digest of their paths."""
        return RecordFolder(self.root / "published")

    @property
    def work(self) -> Path:
        """Where sandboxes put trees that are too large for the memory; empty between builds."""
        return self.root / "work"

    def partial(self, key: Digest) -> PartialFile:
        """The download of ``key`` as far as it came, for who holds it (``fetching``)."""
        return PartialFile(self._partial_path(key))

    def _partial_path(self, key: Digest) -> Path:
        return self.root / "partial" / key.hex

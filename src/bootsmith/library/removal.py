"""Taking names and images out of the library.

An image goes in one step: its folder is moved out of ``objects/`` and only then emptied.  A
machine that runs it keeps the files it has open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bootsmith.errors import ImageError, PlatformNotFound
from bootsmith.host.disk_use import disk_use
from bootsmith.host.publish import discard_folder, remove_abandoned
from bootsmith.host.work_place import remove_stale_work
from bootsmith.library.catalogue import broken_labels
from bootsmith.library.reference import Reference
from bootsmith.library.shelf import Label, Shelf
from bootsmith.model.arch import Arch


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Names and images that are gone, and the bytes of the disk this gave back."""

    labels: tuple[Label, ...] = ()
    build_ids: tuple[str, ...] = ()
    freed_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Removes from ``shelf``."""

    shelf: Shelf

    def reference(self, reference: Reference, *, arches: Iterable[Arch] = tuple(Arch)) -> Removed:
        """Remove a name for ``arches``, and the images that then have none.

        A link that leads out of the library goes as well; what it leads to stays.  Raises
        ``PlatformNotFound`` when the name has nothing for ``arches``.
        """
        wanted = tuple(arches)
        with self.shelf.removing():
            before = tuple(self.shelf.labels())
            removed = {arch.value for arch in wanted if self.shelf.unlabel(reference, arch)}
            if not removed:
                raise PlatformNotFound(
                    f"{reference} has no image for {' or '.join(map(str, wanted))}",
                    hint="bootsmith image ls shows what there is",
                )
            gone = [one for one in before if one.reference == reference and one.arch in removed]
            named = {label.build_id for label in self.shelf.labels()}
            return self._removed(gone, sorted({label.build_id for label in gone} - named))

    def image(self, build_id: str, *, with_names: bool) -> Removed:
        """Remove an image.  Raises ``ImageError`` when it has names, unless they go as well."""
        with self.shelf.removing():
            labels = [label for label in self.shelf.labels() if label.build_id == build_id]
            if labels and not with_names:
                names = ", ".join(sorted({str(label.reference) for label in labels}))
                raise ImageError(
                    f"the image {build_id} is called {names}",
                    hint="remove it by its name, or with --force by its build id",
                )
            for label in labels:
                self.shelf.unlabel(label.reference, Arch.parse(label.arch))
            return self._removed(labels, [build_id])

    def prune(self, *, dry_run: bool) -> Removed:
        """Remove images without a name, names without an image, and what was left behind.

        With ``dry_run`` it is only told what would go.
        """
        with self.shelf.removing():
            named = {label.build_id for label in self.shelf.labels()}
            unnamed = [one for one in self.shelf.build_ids() if one not in named]
            broken = broken_labels(self.shelf)
            if dry_run:
                folders = [self.shelf.object_folder(one) for one in unnamed]
                return Removed(
                    labels=broken,
                    build_ids=tuple(unnamed),
                    freed_bytes=disk_use(folders).own_bytes,
                )
            for label in broken:
                self.shelf.unlabel(label.reference, Arch.parse(label.arch))
            remove_abandoned(self.shelf.objects)
            remove_stale_work(self.shelf.work)
            return self._removed(broken, unnamed)

    def _removed(self, labels: Iterable[Label], build_ids: list[str]) -> Removed:
        folders = [self.shelf.object_folder(one) for one in build_ids if self.shelf.holds(one)]
        freed = disk_use(folders).own_bytes
        for folder in folders:
            discard_folder(folder, by_way_of=self.shelf.work)
        return Removed(
            labels=tuple(labels),
            build_ids=tuple(folder.name for folder in folders),
            freed_bytes=freed,
        )

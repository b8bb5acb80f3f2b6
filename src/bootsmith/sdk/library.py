"""``Library``: the images of this user, by name.

Names are looked up by every command, so what only some methods need (the builder, HTTP, archives,
the checks of file formats) is imported by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootsmith.errors import ImageError, Problem
from bootsmith.host.disk_use import DiskUse
from bootsmith.host.environment import host_arch
from bootsmith.host.files import user_path
from bootsmith.host.paths import ensure_folder, exists, is_file, is_folder
from bootsmith.host.work_place import work_place
from bootsmith.library.catalogue import StoredImage, stored_images, total_use
from bootsmith.library.intake import Intake, Outcome, Taken, Transfer
from bootsmith.library.reference import Reference
from bootsmith.library.removal import Removal, Removed
from bootsmith.library.selection import Selected, Selection
from bootsmith.library.shelf import Label, Shelf
from bootsmith.model.arch import Arch
from bootsmith.model.reporter import PythonWarnings, Reporter
from bootsmith.sdk.image import Image
from bootsmith.sdk.settings import image_registry, image_store_folder

if TYPE_CHECKING:
    from bootsmith.config.build_config import BuildConfig
    from bootsmith.manifest.manifest import Manifest
    from bootsmith.sdk.build_options import BuildOptions

__all__ = [
    "DiskUse",
    "Label",
    "Library",
    "Outcome",
    "Removed",
    "Selected",
    "StoredImage",
    "Taken",
    "Transfer",
]


class Library:
    """The local image store; safe to use from several processes at once.

    ::

        library = Library()
        library.take("./my-assets", tags=["tools:1"])
        with VM(library.open("tools:1")) as vm:
            ...

    ``root`` is by default where ``$BOOTSMITH_IMAGE_STORE`` says, else
    ``~/.local/share/bootsmith/images``.
    """

    def __init__(self, root: str | Path | None = None, *, reporter: Reporter | None = None) -> None:
        self.root = user_path(root) if root is not None else image_store_folder()
        self._shelf = Shelf(self.root)
        self._reporter = reporter or PythonWarnings()
        self._intake = Intake(shelf=self._shelf, check=_problems)
        self._removal = Removal(shelf=self._shelf)

    def __repr__(self) -> str:
        return f"Library({str(self.root)!r})"

    def images(self) -> tuple[StoredImage, ...]:
        """Every image with its names and sizes, by name; damaged ones say what is wrong."""
        return tuple(stored_images(self._shelf))

    def total_use(self) -> DiskUse:
        """The room that all images take together."""
        return total_use(self._shelf)

    def labels(self, tags: Iterable[str]) -> frozenset[Label]:
        """What the names ``tags`` mean now, each for every architecture that it has an image for.

        Raises ``ImageError`` for what cannot be a name.
        """
        references = {Reference.parse(tag) for tag in tags}
        return frozenset(label for label in self._shelf.labels() if label.reference in references)

    def select(self, selector: str | Path, *, arch: str | None = None) -> Selected:
        """The image that ``selector`` means: a folder, a build id, a name, part of a build id.

        Raises ``ImageNotFound``, ``AmbiguousImage`` or ``PlatformNotFound``.
        """
        return self._selection().find(selector, arch=_arch(arch))

    def open(self, selector: str | Path, *, arch: str | None = None) -> Image:
        """The same as an ``Image``."""
        return Image.open(self.select(selector, arch=arch).folder)

    def problems(self, build_id: str) -> tuple[Problem, ...]:
        """What is wrong with an image of the library: all its files are read."""
        folder = self._shelf.object_folder(build_id)
        try:
            image = Image.open(folder)
        except ImageError as error:
            return (Problem(pointer="", message=str(error)),)
        found = _problems(folder, image.manifest)
        if image.build_id != build_id:
            message = f"the files are those of {image.build_id}"
            found = (*found, Problem(pointer="buildId", message=message))
        return found

    def build(
        self,
        config: BuildConfig | Mapping[str, Any] | str | Path | None = None,
        *,
        tags: Iterable[str] = (),
        options: BuildOptions | None = None,
    ) -> Image:
        """Build an image straight into the library; see ``Image.build``.

        One that would be the same byte for byte is not built again, it only gets its names.
        """
        from bootsmith.sdk.build_start import start_build  # whoever looks images up builds none

        references = [Reference.parse(tag) for tag in tags]
        with work_place(self._shelf.work, label="build") as place:
            manifest = start_build(
                config,
                output=place / "image",
                options=options,
                reporter=self._reporter,
                elsewhere=tuple(map(self._shelf.object_folder, self._shelf.build_ids())),
            )
            if is_folder(place / "image"):
                self._intake.take(place / "image", references=references, transfer=Transfer.MOVE)
            else:
                self._intake.call(manifest.build_id, references)
        return self.open(self._shelf.object_folder(manifest.build_id))

    def take(
        self,
        source: str | Path,
        *,
        tags: Iterable[str] = (),
        transfer: Transfer = Transfer.COPY,
    ) -> Taken:
        """Take in the image in the folder or archive ``source``; see ``Transfer``.

        Everything is computed again from the files.  Raises ``ImageError`` when ``source`` is
        neither, ``InvalidImage`` when the files are not what the manifest says, ``UnsafePath``
        when it leads elsewhere.
        """
        references = [Reference.parse(tag) for tag in tags]
        path = user_path(source)
        if is_folder(path):
            return self._intake.take(path, references=references, transfer=transfer)
        from bootsmith.library.archive import WHAT_IS_TAKEN_IN, unpack_image

        if not is_file(path):
            problem = "is neither a folder nor a file" if exists(path) else "does not exist"
            raise ImageError(f"{source} {problem}", hint=WHAT_IS_TAKEN_IN)
        with work_place(self._shelf.work, label="import") as place:
            folder = place / "image"
            ensure_folder(folder)
            unpack_image(path, folder, beside=place)
            return self._intake.take(folder, references=references, transfer=Transfer.MOVE)

    def tag(self, selector: str | Path, *tags: str, arch: str | None = None) -> Selected:
        """Give an image more names.  One that lies outside the library is taken in first."""
        references = [Reference.parse(tag) for tag in tags]
        found = self.select(selector, arch=arch)
        if found.build_id is None:
            taken = self._intake.take(found.folder, references=references)
            return Selected(folder=taken.folder, build_id=taken.manifest.build_id)
        self._intake.call(found.build_id, references)
        return found

    def remove(self, selector: str, *, arch: str | None = None, force: bool = False) -> Removed:
        """Remove a name, and the image with its last one; or an image by its build id.

        ``selector`` is looked for in the library only: no folder elsewhere is ever removed.
        """
        reference = self._selection().known_reference(selector)
        if reference is not None:
            wanted = _arch(arch)
            return self._removal.reference(reference, arches=[wanted] if wanted else list(Arch))
        found = self._selection().find_in_library(selector, arch=_arch(arch))
        assert found.build_id is not None
        return self._removal.image(found.build_id, with_names=force)

    def prune(self, *, dry_run: bool = False) -> Removed:
        """Remove the images without a name, and whatever killed processes left behind."""
        return self._removal.prune(dry_run=dry_run)

    def export(
        self,
        selector: str | Path,
        target: str | Path,
        *,
        arch: str | None = None,
        link: bool = False,
    ) -> Image:
        """Write an image to ``target``: a folder, or an archive if it ends in ``.tar[.gz|.zst]``.

        It is checked before.  ``link`` shares the files of the library, which are read-only.
        """
        from bootsmith.library.export import export_image

        image = self.open(selector, arch=arch)
        image.verify()
        export_image(image.folder, image.manifest, user_path(target), link=link)
        return image

    def pull(self, name: str, *, registry: str | None = None, arch: str | None = None) -> Taken:
        """Fetch what a registry of Gondolin's form offers as ``name``; see ``docs/library.md``."""
        from bootsmith.host.http import HttpClient
        from bootsmith.library.pulling import Puller

        puller = Puller(
            intake=self._intake,
            http=HttpClient(),
            reporter=self._reporter,
            host=host_arch(),
        )
        return puller.pull(name, registry_url=image_registry(registry), arch=_arch(arch))

    def _selection(self) -> Selection:
        return Selection(shelf=self._shelf, host=host_arch())


def _arch(text: str | None) -> Arch | None:
    return Arch.parse(text) if text else None


def _problems(folder: Path, manifest: Manifest) -> tuple[Problem, ...]:
    from bootsmith.pipeline.verify import image_problems

    return image_problems(folder, manifest)

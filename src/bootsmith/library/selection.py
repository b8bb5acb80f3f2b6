"""What a user means by a word: an existing folder, a build id, a name, or part of a build id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bootsmith.errors import AmbiguousImage, HostError, ImageError, ImageNotFound, PlatformNotFound
from bootsmith.host.files import user_path
from bootsmith.host.paths import exists, is_folder
from bootsmith.library.image_files import read_manifest
from bootsmith.library.names import similar_names
from bootsmith.library.reference import (
    Reference,
    is_build_id,
    is_build_id_prefix,
    parse_or_none,
)
from bootsmith.library.shelf import Shelf
from bootsmith.manifest.manifest import MANIFEST_NAME
from bootsmith.model.arch import Arch


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """An image found.  ``build_id`` and ``reference`` are known if it lies in the library."""

    folder: Path
    build_id: str | None = None
    reference: Reference | None = None
    arch: Arch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Finds images on ``shelf``; of several architectures it prefers ``host``, this machine's."""

    shelf: Shelf
    host: Arch

    def find(self, selector: str | Path, *, arch: Arch | None = None) -> Selected:
        """The image that ``selector`` means.

        In this order: an existing folder, a whole build id, a name with or without a tag, the
        beginning of a build id.  A name without ``arch`` means the image for this machine, or
        else the only one there is.

        Raises ``ImageNotFound`` with similar names, ``AmbiguousImage`` with all that could be
        meant, ``PlatformNotFound`` when the name has no image for ``arch``, ``ImageError`` for
        an image whose manifest is damaged or that of another one.
        """
        folder = _existing(selector)
        if folder is None:
            return _consistent(self.find_in_library(str(selector), arch=arch))
        if not is_folder(folder):
            raise ImageError(
                f"{folder} is a file, an image is a folder",
                hint=f"bring an archive into the library with: bootsmith image import {selector}",
            )
        if not exists(folder / MANIFEST_NAME):
            self._refuse_shadow(folder, str(selector))
        return _for_arch(Selected(folder=folder), arch)

    def find_in_library(self, selector: str, *, arch: Arch | None = None) -> Selected:
        """As ``find``, folders beside the library left aside; the image may be damaged."""
        if is_build_id(selector):
            if self.shelf.holds(selector):
                return self._object(selector, arch)
            raise ImageNotFound(
                f"no image in the library has the build id {selector}",
                selector=selector,
                hint="bootsmith image ls shows all",
            )
        reference = parse_or_none(selector)
        if reference is not None and self.shelf.arches_of(reference):
            return self._named(reference, arch)
        if is_build_id_prefix(selector):
            found = [one for one in self.shelf.build_ids() if one.startswith(selector)]
            if len(found) == 1:
                return self._object(found[0], arch)
            if found:
                raise AmbiguousImage(
                    f"{len(found)} build ids begin with {selector}",
                    selector=selector,
                    candidates=tuple(found),
                    hint="give more of it",
                )
        raise self._not_found(selector, reference)

    def known_reference(self, selector: str) -> Reference | None:
        """The name in the library that ``selector`` is, also one whose image is gone."""
        reference = parse_or_none(selector)
        return reference if reference and self.shelf.has_label(reference) else None

    def _object(self, build_id: str, arch: Arch | None) -> Selected:
        found = Selected(folder=self.shelf.object_folder(build_id), build_id=build_id)
        return _for_arch(found, arch)

    def _named(self, reference: Reference, arch: Arch | None) -> Selected:
        available = self.shelf.arches_of(reference)
        wanted = arch or (self.host if self.host in available else None)
        if wanted is None and len(available) == 1:
            (wanted,) = available
        if wanted is None or wanted not in available:
            has = ", ".join(str(one) for one in available)
            raise PlatformNotFound(
                f"{reference} has no image for {wanted or self.host}, only for {has}",
                hint=f"build or import one for {wanted or self.host}, or say --arch {available[0]}",
            )
        build_id = self.shelf.build_id_of(reference, wanted)
        if build_id is None or not self.shelf.holds(build_id):
            raise ImageNotFound(
                f"{reference} means the image {build_id}, which is no longer in the library",
                selector=str(reference),
                hint=f"build or import it again, or forget it: bootsmith image rm {reference}",
            )
        folder = self.shelf.object_folder(build_id)
        return Selected(folder=folder, build_id=build_id, reference=reference, arch=wanted)

    def _not_found(self, selector: str, reference: Reference | None) -> ImageNotFound:
        if not selector:  # a variable of a script that was empty, most often
            return ImageNotFound(
                "the name of the image is empty",
                selector=selector,
                hint="name a folder, a build id or an image that bootsmith image ls shows",
            )
        if (path := _existing(selector)) is not None:  # only the library was to be looked at
            return ImageNotFound(
                f"{selector} is a {'folder' if is_folder(path) else 'file'}, and what is removed "
                "are names and images of the library",
                selector=selector,
                hint="bootsmith image ls shows what there is",
            )
        similar = similar_names(selector, {str(label.reference) for label in self.shelf.labels()})
        if similar:
            hint = f"did you mean {' or '.join(similar)}?"
        else:
            tag = f"--tag {reference} or " if reference else ""
            hint = (
                f"make one with: bootsmith build {tag}--output {selector}; "
                "bootsmith image ls shows what there is"
            )
        return ImageNotFound(
            f"there is no folder and no image in the library called {selector}"
            if reference
            else f"there is no folder {selector}, and no image can be called so",
            selector=selector,
            similar=similar,
            hint=hint,
        )

    def _refuse_shadow(self, folder: Path, selector: str) -> None:
        """A folder that is no image must not silently stand before an image of that name."""
        reference = parse_or_none(selector)
        if reference is not None and self.shelf.arches_of(reference):
            raise ImageError(
                f"{folder} holds no image, and stands before the image {reference}",
                hint=f"write {reference} to mean the one in the library",
            )


def _existing(selector: str | Path) -> Path | None:
    try:
        path = user_path(selector)
    except HostError:
        return None  # the home of nobody, a NUL: no folder; whether it is a name is seen later
    return path if str(selector) and exists(path) else None


def _for_arch(found: Selected, arch: Arch | None) -> Selected:
    """A folder or a build id holds one architecture; it must be ``arch``, if that was asked for."""
    if arch is None:
        return found
    _, manifest = read_manifest(found.folder)
    if manifest.arch is not arch:
        raise PlatformNotFound(
            f"the image in {found.folder} is for {manifest.arch}, not for {arch}",
            hint="leave --arch out, or name another image",
        )
    return replace(found, arch=arch)


def _consistent(found: Selected) -> Selected:
    """What lies under a build id must at least claim to be it; ``verify`` looks into the files."""
    _, manifest = read_manifest(found.folder)
    if manifest.build_id != found.build_id:
        raise ImageError(
            f"{found.folder} holds another image, {manifest.build_id}",
            hint=f"remove it: bootsmith image rm --force {found.build_id}",
        )
    return found

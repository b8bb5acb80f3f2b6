"""Taking images into the library: nothing they say of themselves is believed.

The files are brought beside their place first and checked there, so that what was checked is
what is kept, whatever happens to the source meanwhile.  An image appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from bootsmith.errors import BootsmithError, HostError, InvalidImage, Problem
from bootsmith.host.cloning import clone_file, is_read_only, link_file, make_read_only
from bootsmith.host.files import FileSink, is_plain_file, read_whole, sha256_of_file
from bootsmith.host.links import names_in
from bootsmith.host.paths import is_folder, remove_file
from bootsmith.host.publish import HALF_PUBLISHED, exchange_folder
from bootsmith.library.image_files import file_names, read_manifest
from bootsmith.library.reference import Reference
from bootsmith.library.shelf import Shelf
from bootsmith.manifest.manifest import LOCK_NAME, MANIFEST_NAME, Manifest
from bootsmith.model.digest import Digest

ImageCheck: TypeAlias = Callable[[Path, Manifest], tuple[Problem, ...]]
"""Tells everything about the image in a folder that is not as its manifest says."""


class Transfer(Enum):
    """How files come into the library.

    ``COPY`` shares blocks where the file system can and never lets a write to one side reach
    the other.  ``LINK`` takes no room, and makes the source read-only: it is the same file.
    ``MOVE`` takes the source away once the image is safe.
    """

    COPY = "copy"
    LINK = "link"
    MOVE = "move"


class Outcome(Enum):
    """What became of an image: it was new, it was there, or its manifest or files were other."""

    ADDED = "added"
    PRESENT = "already there"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An image that is in the library now."""

    folder: Path
    manifest: Manifest
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Brings image folders into ``shelf``; ``check`` decides whether they are right."""

    shelf: Shelf
    check: ImageCheck

    def take(
        self,
        source: Path,
        *,
        references: Iterable[Reference] = (),
        transfer: Transfer = Transfer.COPY,
    ) -> Taken:
        """Take in the image in the folder ``source`` and call it ``references``.

        Raises ``ImageError`` when there is none, ``UnsafePath`` for a manifest that names
        files elsewhere, ``InvalidImage`` when files and manifest do not agree; the library is
        then as it was.
        """
        text, manifest = read_manifest(source)
        folder = self.shelf.object_folder(manifest.build_id)
        with self.shelf.adding():
            outcome = self._outcome(folder, text, manifest)
            if outcome is not Outcome.PRESENT:
                self._publish(source, folder, text, manifest, transfer)
            for reference in sorted(set(references)):
                self.shelf.label(reference, manifest.arch, manifest.build_id)
        if transfer is Transfer.MOVE:
            _remove_files(source, manifest)
        return Taken(folder=folder, manifest=manifest, outcome=outcome)

    def call(self, build_id: str, references: Iterable[Reference]) -> Taken:
        """Call an image that is here ``references``; only its manifest is looked at.

        Raises ``ImageError`` when it is not here.
        """
        with self.shelf.adding():
            folder = self.shelf.object_folder(build_id)
            _, manifest = read_manifest(folder)
            for reference in sorted(set(references)):
                self.shelf.label(reference, manifest.arch, build_id)
        return Taken(folder=folder, manifest=manifest, outcome=Outcome.PRESENT)

    def is_sound(self, build_id: str) -> bool:
        """Whether an image is here, and all its files are right."""
        folder = self.shelf.object_folder(build_id)
        try:
            _, manifest = read_manifest(folder)
        except BootsmithError:
            return False
        return manifest.build_id == build_id and not self.check(folder, manifest)

    def _outcome(self, folder: Path, text: bytes, manifest: Manifest) -> Outcome:
        if not is_folder(folder):
            return Outcome.ADDED
        try:
            is_same = read_whole(folder / MANIFEST_NAME) == text
        except HostError:
            return Outcome.REPLACED
        return Outcome.PRESENT if is_same and not self.check(folder, manifest) else Outcome.REPLACED

    def _publish(
        self, source: Path, folder: Path, text: bytes, manifest: Manifest, transfer: Transfer
    ) -> None:
        _require_files(source, manifest)
        here = self._digests()
        bring = clone_file if transfer is Transfer.COPY else link_file
        ours = {*names_in(folder), *file_names(source, manifest)} - {HALF_PUBLISHED}
        with exchange_folder(folder, ours=sorted(ours, key=_manifest_last)) as staging:
            for artifact in manifest.artifacts.values():
                known = here.get(artifact.digest)
                if known is not None and sha256_of_file(known) == artifact.digest:
                    link_file(known, staging / artifact.name)
                else:
                    bring(source / artifact.name, staging / artifact.name)
            if is_plain_file(source / LOCK_NAME):
                clone_file(source / LOCK_NAME, staging / LOCK_NAME)
            with FileSink(staging / MANIFEST_NAME) as sink:
                sink.write(text)
            _refuse(source, self.check(staging, manifest))
            for name in names_in(staging):
                make_read_only(staging / name)

    def _digests(self) -> dict[Digest, Path]:
        """Files of the library by digest: kernels and initramfs are those of many images."""
        found = {}
        for build_id in self.shelf.build_ids():
            folder = self.shelf.object_folder(build_id)
            try:
                _, manifest = read_manifest(folder)
            except BootsmithError:
                continue  # damaged: ls tells so, and nothing is taken from it
            for artifact in manifest.artifacts.values():
                # Only what nobody writes to may have a second name.
                if is_read_only(folder / artifact.name):
                    found[artifact.digest] = folder / artifact.name
        return found


def _require_files(source: Path, manifest: Manifest) -> None:
    """Links are not followed: a manifest must not make us take in files from elsewhere."""
    failures = tuple(
        Problem(pointer=f"assets.{key}", message=f"{artifact.name} is missing or no regular file")
        for key, artifact in manifest.artifacts.items()
        if not is_plain_file(source / artifact.name)
    )
    _refuse(source, failures)


def _refuse(source: Path, failures: tuple[Problem, ...]) -> None:
    if failures:
        raise InvalidImage(
            f"{source} is not what its manifest says and was not taken in",
            failures=failures,
            hint="build it again, or fetch it again from where it came from",
        )


def _manifest_last(name: str) -> tuple[bool, str]:
    return name == MANIFEST_NAME, name


def _remove_files(source: Path, manifest: Manifest) -> None:
    """The manifest first: what is left, should we be killed, is plainly no image."""
    for name in reversed(file_names(source, manifest)):
        remove_file(source / name)

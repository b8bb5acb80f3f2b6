"""Where the local images lie: objects by build id, references that point at them.

Layout below the root, the same as Gondolin's, which may use the same folder::

    objects/<build id>/          an image: its files and manifest.json, read-only
    refs/<name>/<tag>/<arch>     a relative link to an object
    work/                        builds, downloads and archives under way
    lock                         held by whoever adds (shared) or removes (alone)

The links are the whole index: there is nothing beside them that could disagree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bootsmith.errors import ImageError
from bootsmith.host.links import links_below, names_in, read_link, remove_link, replace_link
from bootsmith.host.locks import locked
from bootsmith.host.paths import is_folder
from bootsmith.library.reference import Reference, is_build_id, parse_or_none
from bootsmith.model.arch import Arch

_ARCHES = {arch.value: arch for arch in Arch}


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """One link: the reference, the architecture, and the build id it points at."""

    reference: Reference
    arch: str
    build_id: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folders of a library at ``root``.  Safe for several processes at once."""

    root: Path

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def refs(self) -> Path:
        return self.root / "refs"

    @property
    def work(self) -> Path:
        return self.root / "work"

    def object_folder(self, build_id: str) -> Path:
        """Where the image ``build_id`` lies, or would lie.  Raises ``ImageError`` for no id."""
        if not is_build_id(build_id):
            raise ImageError(f"{build_id!r} is no build id")
        return self.objects / build_id

    def holds(self, build_id: str) -> bool:
        return is_build_id(build_id) and is_folder(self.object_folder(build_id))

    def build_ids(self) -> tuple[str, ...]:
        """The build ids of all objects, sorted."""
        return tuple(name for name in names_in(self.objects) if self.holds(name))

    def build_id_of(self, reference: Reference, arch: Arch) -> str | None:
        """What ``reference`` means for ``arch``; ``None`` when it means nothing.

        Raises ``ImageError`` when the link leads anywhere but to an object.
        """
        path = self._link(reference, arch)
        text = read_link(path)
        if text is None:
            return None
        build_id = _target(text, len(path.relative_to(self.root).parts))
        if build_id is None:
            raise ImageError(
                f"{path} links to {text}, which is no object of this library",
                hint=f"remove it with: bootsmith image rm {reference}",
            )
        return build_id

    def arches_of(self, reference: Reference) -> tuple[Arch, ...]:
        """The architectures that ``reference`` has an image for."""
        return tuple(arch for arch in Arch if self.build_id_of(reference, arch))

    def has_label(self, reference: Reference) -> bool:
        """Whether there is a link for ``reference``, wherever it leads."""
        return any(read_link(self._link(reference, arch)) is not None for arch in Arch)

    def labels(self) -> Iterator[Label]:
        """All references, sorted by name; links that are not as ours are left out."""
        found = []
        for parts, text in links_below(self.refs):
            *names, tag, arch = parts if len(parts) > 2 else ("", "", "")
            reference = parse_or_none(f"{'/'.join(names)}:{tag}")
            build_id = _target(text, len(parts) + 1)
            if reference is not None and build_id is not None and arch in _ARCHES:
                found.append(Label(reference, arch, build_id))
        yield from sorted(found)

    def label(self, reference: Reference, arch: Arch, build_id: str) -> None:
        """Make ``reference`` mean the image ``build_id`` for ``arch``, in one step."""
        path = self._link(reference, arch)
        up = [".."] * (len(path.relative_to(self.root).parts) - 1)
        replace_link(path, str(PurePosixPath(*up, "objects", build_id)))

    def unlabel(self, reference: Reference, arch: Arch) -> bool:
        """Make ``reference`` mean nothing for ``arch``; tells whether it meant something."""
        return remove_link(self._link(reference, arch), root=self.refs)

    def adding(self) -> AbstractContextManager[None]:
        """While this is held nothing is removed: what was found or added is still there."""
        return locked(self.root / "lock", shared=True)

    def removing(self) -> AbstractContextManager[None]:
        """While this is held nobody adds or removes."""
        return locked(self.root / "lock")

    def _link(self, reference: Reference, arch: Arch) -> Path:
        return self.refs / reference.name / reference.tag / arch.value


def _target(text: str, depth: int) -> str | None:
    """The build id a link's text leads to, from a place ``depth`` parts below the root."""
    *up, objects, build_id = text.split("/") if text.count("/") >= depth else ("", "")
    if up != [".."] * (depth - 1) or objects != "objects" or not is_build_id(build_id):
        return None
    return build_id

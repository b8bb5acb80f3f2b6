"""Small worlds of Debian packages, written down in a few lines.

::

    universe({"a": "Depends: b | c", "b=2": "", "c": "Provides: d"})

makes the packages a, b (version 2) and c; without ``=`` the version is 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from bootsmith.errors import ResolveError
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.streams import BytesSource
from bootsmith.sources.debian.archive import Repository, Suite
from bootsmith.sources.debian.index import IndexBuilder, PackagesIndex
from bootsmith.sources.debian.release import Release
from bootsmith.sources.debian.request import BaseSet, Request
from bootsmith.sources.debian.solver import Solution, solve
from bootsmith.sources.debian.trust import TrustedRelease
from bootsmith.sources.debian.universe import Universe
from tests.support.memory_blobs import MemoryBlobs


class MemoryIndexStore(MemoryBlobs):
    """Blobs in memory, and what was made from them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[tuple[str, Digest], Descriptor] = {}

    def derived(self, kind: str, key: Digest) -> Descriptor | None:
        return self.records.get((kind, key))

    def record_derived(self, kind: str, key: Digest, descriptor: Descriptor) -> None:
        self.records[kind, key] = descriptor


def packages_text(packages: Mapping[str, str], *, arch: str = "amd64") -> bytes:
    """A ``Packages`` file.  Each value holds further fields, one a line."""
    paragraphs = []
    for item, fields in packages.items():
        name, _, version = item.partition("=")
        own = [line.rstrip() for line in fields.split("\n") if line.strip()]
        given = {line.partition(":")[0] for line in own}
        rest = {
            "Version": version or "1",
            "Architecture": arch,
            "Priority": "optional",
            "Filename": f"pool/{name}_{version or 1}.deb",
            "Size": "1",
            "SHA256": hashlib.sha256(item.encode()).hexdigest(),
        }
        lines = [f"Package: {name}"]
        lines += [f"{key}: {value}" for key, value in rest.items() if key not in given]
        paragraphs.append("\n".join([*lines, *own]) + "\n")
    return "\n".join(paragraphs).encode()


def index_of(text: bytes) -> PackagesIndex:
    builder = IndexBuilder()
    builder.feed(text)
    return PackagesIndex(builder.finish(), BytesSource(text))


def suite_of(
    packages: Mapping[str, str],
    *,
    name: str = "stable",
    archive: str = "debian",
    arch: str = "amd64",
    release_fields: str = "",
) -> Suite:
    return suite_of_text(
        packages_text(packages, arch=arch),
        name=name,
        archive=archive,
        release_fields=release_fields,
    )


def suite_of_text(
    packages: bytes, *, name: str = "stable", archive: str = "debian", release_fields: str = ""
) -> Suite:
    """A suite with one index, of that text."""
    text = f"Suite: {name}\nCodename: {name}-code\nArchitectures: amd64 arm64\n{release_fields}"
    text += "Date: Sat, 01 Jan 2022 00:00:00 UTC\nSHA256:\n"
    return Suite(
        repository=Repository(archive=archive, suite=name),
        trusted=TrustedRelease(release=Release.parse(text.encode()), signers=("TEST",)),
        indexes=(index_of(packages),),
    )


def universe(*suites: Mapping[str, str] | Suite, arch: str = "amd64") -> Universe:
    """The suites as one world."""
    return Universe(
        arch, [one if isinstance(one, Suite) else suite_of(one, arch=arch) for one in suites]
    )


def chosen(
    world: Mapping[str, str] | Universe,
    *items: str,
    base: BaseSet = BaseSet.NOTHING,
    with_recommends: bool = False,
) -> str:
    """The names of the solution, parted by blanks."""
    request = Request.parse(items, base=base, with_recommends=with_recommends)
    return names(solve(world if isinstance(world, Universe) else universe(world), request))


def names(solution: Solution) -> str:
    return " ".join(package.name for package in solution.packages)


def refusal(world: Mapping[str, str] | Universe, *items: str) -> ResolveError:
    """The error that asking for ``items`` ends in."""
    try:
        found = chosen(world, *items)
    except ResolveError as error:
        return error
    raise AssertionError(f"it was possible: {found}")


def is_installable(packages: Iterable[str], world: Universe) -> bool:
    """Whether these packages can stand together: every clause met, no conflict; by brute force,
    without the solver's own bookkeeping."""
    from bootsmith.sources.debian.universe import fulfils

    every = [world.candidate(name) for name in packages]
    found = [one for one in every if one is not None]
    for one in found:
        for clause in (*one.pre_depends, *one.depends):
            if not any(fulfils(p, relation, world.arch) for relation in clause for p in found):
                return False
        for relation in (*one.conflicts, *one.breaks):
            if any(p.name != one.name and fulfils(p, relation, world.arch) for p in found):
                return False
    return len(found) == len(every)

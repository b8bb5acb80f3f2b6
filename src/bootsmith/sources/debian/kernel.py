"""Which package the kernel comes from.

Debian names kernels through metapackages: ``linux-image-cloud-amd64`` depends on the package
of today's kernel, ``linux-image-6.1.0-…-cloud-amd64``.  Only that one is opened, for the
kernel and its modules; it is not installed, so what it depends on (initramfs-tools, kmod) does
not come into the image.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootsmith.errors import PackageNotFound, ResolveError
from bootsmith.model.arch import Arch
from bootsmith.sources.debian.package import DebianPackage
from bootsmith.sources.debian.relation import Clause, show_clause
from bootsmith.sources.debian.request import Item
from bootsmith.sources.debian.solver import requested_package
from bootsmith.sources.debian.universe import Universe

_IMAGE = "linux-image-"


def default_kernel(arch: Arch) -> str:
    """The metapackage of Debian's kernel for virtual machines."""
    return f"linux-image-cloud-{arch.dpkg}"


def kernel_package(universe: Universe, arch: Arch, name: str | None = None) -> DebianPackage:
    """The package that holds the kernel called ``name`` (``default_kernel`` without one).

    ``name`` may be a metapackage or a kernel's own package, and may carry ``=version`` or
    ``/suite``.  Raises ``PackageNotFound`` or ``VersionConflict`` when it cannot be had, and
    ``ResolveError`` when it is no kernel.
    """
    asked = name or default_kernel(arch)
    package = requested_package(universe, Item.parse(asked))
    chain = [f"the kernel is to be {asked}"]
    seen = {package}
    while (clause := next(_kernel_clauses(package), None)) is not None:
        chain.append(f"{package} depends on {show_clause(clause)}")
        target = next((one for relation in clause for one in universe.targets(relation)), None)
        if target is None:
            raise PackageNotFound(
                f"the kernel package does not exist: {show_clause(clause)}",
                causes=tuple(chain),
                hint="the mirror may be in the middle of an update: try again later",
            )
        if target in seen:
            break  # two kernels that depend on each other: the one asked for will do
        seen.add(target)
        package = target
    if not package.name.startswith(_IMAGE):
        raise ResolveError(
            f"{package} is not a kernel",
            causes=tuple(chain),
            hint=f"name a package that begins with {_IMAGE}, such as {default_kernel(arch)}",
        )
    return package


def _kernel_clauses(package: DebianPackage) -> Iterator[Clause]:
    return (
        clause for clause in package.depends if any(one.name.startswith(_IMAGE) for one in clause)
    )

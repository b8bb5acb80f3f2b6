"""From what a user wants of Alpine to a lock.

An Alpine index knows a package by a digest of its control part; the digest of the file, which
a lock holds, is known once the file is here.  So packages are taken in between choosing them
and locking them, and nothing is fetched before all of them are chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.distributions import AlpineConfig
from bootsmith.errors import ResolveError
from bootsmith.model.arch import Arch
from bootsmith.model.canonical_json import Json
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.streams import DerivedBlobStore
from bootsmith.plan.lock import (
    Lock,
    LockedArchive,
    LockedPackage,
    LockedRepository,
    resolution_digest,
)
from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.kernel import kernel_package
from bootsmith.sources.alpine.mirror import Repository, branch_of, parse_repository
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.repository import OpenRepository
from bootsmith.sources.alpine.solver import solve
from bootsmith.sources.alpine.trust import Keyring
from bootsmith.sources.alpine.universe import Universe, load_universe
from bootsmith.sources.alpine.world import parse_world
from bootsmith.sources.mirror import IndexFetcher

BASE = ("alpine-baselayout", "alpine-keys", "apk-tools", "busybox", "libc-utils")
"""The world of Alpine's own minirootfs, which every root file system holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApkChoice:
    """A package that was chosen, and the repository it comes from."""

    package: ApkPackage
    repository: Repository
    tag: str | None = None

    @property
    def path(self) -> str:
        """Where its file lies below the repository's mirror."""
        return self.repository.below(self.package.filename)


class TakeIn(Protocol):
    """Brings packages into the store."""

    def __call__(self, chosen: Sequence[ApkChoice]) -> Sequence[Descriptor]:
        """The files of ``chosen``, each checked to be what the index describes.

        Raises ``FetchError`` or ``IntegrityError`` for one that cannot be had.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Minirootfs:
    """The archive that the root file system begins as, and the world in it."""

    archive: Descriptor
    world: tuple[Dependency, ...]


def alpine_inputs(config: BuildConfig, minirootfs: Digest | None = None) -> Json:
    """The part of ``config`` that decides the lock, with what its minirootfs is; no mirror is in
    it."""
    return {
        "repositories": [str(one) for one in repositories(config.alpine)],
        "world": [str(one) for one in world(config.alpine)],
        "initramfs": sorted(config.alpine.initramfs_packages),
        "kernel": config.alpine.kernel_package,
        **({"minirootfs": str(minirootfs)} if minirootfs else {}),
    }


def resolve_alpine(
    config: BuildConfig,
    arch: Arch,
    *,
    fetchers: Mapping[str, IndexFetcher],
    store: DerivedBlobStore,
    keyring: Keyring,
    take_in: TakeIn,
    allow_unsigned: bool,
    minirootfs: Minirootfs | None = None,
) -> Lock:
    """Choose every input of ``config`` from what the mirrors offer now, and take it in.

    ``fetchers`` are by ``Repository.mirror``, ``minirootfs`` is that of the config.  Raises
    ``ResolveError`` with the chain of requirements, ``FetchError`` and ``IntegrityError`` for
    indexes and packages.
    """
    alpine = config.alpine
    universe = load_universe(
        repositories(alpine),
        arch=arch.apk,
        fetchers=fetchers,
        store=store,
        keyring=keyring,
        allow_unsigned=allow_unsigned,
    )
    rootfs = _choose_rootfs(universe, alpine, minirootfs)
    initramfs = _choose(universe, parse_world(alpine.initramfs_packages))
    kernel = _kernel(universe, rootfs, alpine.kernel_package)
    every = tuple({one.package: one for one in (*rootfs, *initramfs, kernel)}.values())
    files = dict(zip((one.package for one in every), take_in(every), strict=True))

    def locked(chosen: Iterable[ApkChoice]) -> tuple[LockedPackage, ...]:
        return tuple(_locked(one, files[one.package]) for one in chosen)

    inputs = alpine_inputs(config, None if minirootfs is None else minirootfs.archive.digest)
    return Lock(
        config_digest=resolution_digest(config.distro, arch, inputs),
        arch=arch,
        distro=config.distro,
        repositories=tuple(_locked_repository(one) for one in universe.repositories),
        packages=locked(rootfs),
        kernel=locked([kernel])[0],
        initramfs=locked(initramfs),
        minirootfs=None if minirootfs is None else _locked_archive(minirootfs.archive),
    )


def repositories(alpine: AlpineConfig) -> tuple[Repository, ...]:
    """The repositories to read, in the order of their rank.  Raises ``ConfigError``."""
    return tuple(parse_repository(one, branch=branch(alpine)) for one in alpine.repositories)


def branch(alpine: AlpineConfig) -> str:
    """The branch that bare repository names are of (``v3.23``).  Raises ``ConfigError``."""
    return alpine.branch or branch_of(alpine.version)


def world(alpine: AlpineConfig, minirootfs: Sequence[Dependency] = ()) -> tuple[Dependency, ...]:
    """What the root file system is asked to hold, as ``/etc/apk/world`` will say.

    Of the base, and of the world that the config's minirootfs has, only what the user speaks of
    in other words is missing (``!apk-tools``).
    """
    asked = parse_world(alpine.rootfs_packages)
    named = {one.name for one in asked}
    theirs = [one for one in minirootfs if one.name not in named]
    named |= {one.name for one in theirs}
    ours = (name for name in BASE if name not in named)
    return parse_world((*ours, *map(str, theirs), *map(str, asked)))


def _choose_rootfs(
    universe: Universe, alpine: AlpineConfig, minirootfs: Minirootfs | None
) -> tuple[ApkChoice, ...]:
    if minirootfs is None:
        return _choose(universe, world(alpine))
    try:
        return _choose(universe, world(alpine, minirootfs.world))
    except ResolveError as error:
        theirs = " ".join(map(str, minirootfs.world))
        raise type(error)(
            str(error).splitlines()[0],
            causes=(*error.causes, f"the minirootfs asks for {theirs} (its etc/apk/world)"),
            hint=error.hint,
        ) from error


def _choose(universe: Universe, wanted: Sequence[Dependency]) -> tuple[ApkChoice, ...]:
    solution = solve(universe, wanted)
    return tuple(
        _chosen(universe, package, tag)
        for package, tag in zip(solution.packages, solution.tags, strict=True)
    )


def _kernel(universe: Universe, installed: Iterable[ApkChoice], name: str) -> ApkChoice:
    """The kernel that is installed, if it is the one that is meant; so its modules fit."""
    (asked,) = parse_world([name])
    for one in installed:
        if one.package.name == asked.name and asked.is_met_by(one.package.version):
            return one
    return _chosen(universe, kernel_package(universe, name), asked.tag)


def _chosen(universe: Universe, package: ApkPackage, tag: str | None) -> ApkChoice:
    home = universe.home(package, () if tag is None else (tag,))
    return ApkChoice(package=package, repository=home.repository, tag=tag)


def _locked(chosen: ApkChoice, file: Descriptor) -> LockedPackage:
    return LockedPackage(
        name=chosen.package.name,
        version=str(chosen.package.version),
        arch=chosen.package.arch,
        mirror=chosen.repository.mirror,
        path=chosen.path,
        digest=file.digest,
        size_bytes=file.size_bytes,
        tag=chosen.tag,
    )


def _locked_archive(archive: Descriptor) -> LockedArchive:
    return LockedArchive(digest=archive.digest, size_bytes=archive.size_bytes)


def _locked_repository(one: OpenRepository) -> LockedRepository:
    repository = one.repository
    return LockedRepository(
        mirror=repository.mirror,
        name=repository.path or repository.mirror,
        tag=repository.tag,
        signed_by=(one.signed_by,) if one.signed_by else (),
    )

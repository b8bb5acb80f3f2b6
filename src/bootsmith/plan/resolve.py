"""From what a user wants to a lock: the only step that reads indexes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.distributions import DebianConfig
from bootsmith.errors import ImageError
from bootsmith.model.arch import Arch
from bootsmith.model.canonical_json import digest_of
from bootsmith.model.digest import Digest
from bootsmith.plan.lock import Lock, LockedPackage, LockedSuite
from bootsmith.sources.debian.archive import IndexFetcher, IndexStore, Repository, Suite
from bootsmith.sources.debian.kernel import kernel_package
from bootsmith.sources.debian.mirror import DEBIAN, DEBIAN_SECURITY
from bootsmith.sources.debian.package import DebianPackage
from bootsmith.sources.debian.request import Request
from bootsmith.sources.debian.solver import solve
from bootsmith.sources.debian.trust import Keyring
from bootsmith.sources.debian.universe import load_universe

_ROLLING = ("sid", "unstable", "experimental")  # suites without updates of their own


def resolve(
    config: BuildConfig,
    arch: Arch,
    *,
    fetchers: Mapping[str, IndexFetcher],
    store: IndexStore,
    keyring: Keyring,
    now: datetime,
    allow_unsigned: bool,
) -> Lock:
    """Choose every input of ``config`` from what the mirrors offer now.

    ``fetchers`` are by mirror role (``debian``, ``debian-security``).  Raises ``ResolveError``
    with the chain of requirements, ``FetchError`` and ``IntegrityError`` for the indexes.
    """
    debian = config.debian
    universe = load_universe(
        repositories(debian),
        arch=arch.dpkg,
        fetchers=fetchers,
        store=store,
        keyring=keyring,
        now=now,
        allow_unsigned=allow_unsigned,
    )
    solution = solve(universe, Request.parse(debian.packages, with_recommends=debian.recommends))
    return Lock(
        config_digest=resolution_digest(config, arch),
        arch=arch,
        distro=config.distro,
        suites=tuple(_locked_suite(suite) for suite in universe.suites),
        packages=tuple(_locked(package) for package in solution.packages),
        kernel=_locked(kernel_package(universe, arch, config.kernel.package)),
    )


def repositories(debian: DebianConfig) -> tuple[Repository, ...]:
    """The suites to read: the release itself and, unless it rolls, its updates."""
    components = debian.components
    found = [Repository(archive=DEBIAN, suite=debian.suite, components=components)]
    if debian.updates and debian.suite not in _ROLLING:
        updates, security = f"{debian.suite}-updates", f"{debian.suite}-security"
        found += [
            Repository(archive=DEBIAN, suite=updates, components=components),
            Repository(archive=DEBIAN_SECURITY, suite=security, components=components),
        ]
    return tuple(found)


def resolution_digest(config: BuildConfig, arch: Arch) -> Digest:
    """A digest of the part of ``config`` that decides the lock; no mirror is in it."""
    debian = config.debian
    return digest_of(
        {
            "arch": arch.value,
            "distro": config.distro,
            "suite": debian.suite,
            "components": debian.components,
            "updates": debian.updates,
            "packages": sorted(debian.packages),
            "recommends": debian.recommends,
            "kernel": config.kernel.package,
        }
    )


def check_lock(lock: Lock, config: BuildConfig, arch: Arch) -> None:
    """Raises ``ImageError`` when ``lock`` was made for something else than ``config`` asks."""
    if lock.config_digest != resolution_digest(config, arch):
        raise ImageError(
            "the lock file was made for other packages, another suite or another architecture "
            "than the config asks for",
            hint="build once without --locked to make a new one",
        )


def _locked_suite(suite: Suite) -> LockedSuite:
    return LockedSuite(
        mirror=suite.repository.archive,
        suite=suite.repository.suite,
        components=suite.repository.components,
        signed_by=suite.trusted.signers,
    )


def _locked(package: DebianPackage) -> LockedPackage:
    return LockedPackage(
        name=package.name,
        version=str(package.version),
        arch=package.architecture,
        mirror=package.archive,
        path=package.filename,
        digest=package.sha256,
        size_bytes=package.size_bytes,
    )

"""From what a user wants of Debian to a lock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.distributions import DebianConfig
from bootsmith.model.arch import Arch
from bootsmith.model.canonical_json import Json
from bootsmith.model.streams import DerivedBlobStore
from bootsmith.plan.lock import Lock, LockedPackage, LockedRepository, resolution_digest
from bootsmith.sources.debian.archive import ArchiveFetcher, Repository, Suite
from bootsmith.sources.debian.kernel import kernel_package
from bootsmith.sources.debian.mirror import DEBIAN, DEBIAN_SECURITY
from bootsmith.sources.debian.package import DebianPackage
from bootsmith.sources.debian.request import Request
from bootsmith.sources.debian.solver import solve
from bootsmith.sources.debian.trust import Keyring
from bootsmith.sources.debian.universe import load_universe

_ROLLING = ("sid", "unstable", "experimental")  # suites without updates of their own


def debian_inputs(config: BuildConfig) -> Json:
    """The part of ``config`` that decides the lock; no mirror is in it."""
    debian = config.debian
    return {
        "suite": debian.suite,
        "components": debian.components,
        "updates": debian.updates,
        "packages": sorted(debian.packages),
        "recommends": debian.recommends,
        "kernel": config.kernel.package,
    }


def resolve_debian(
    config: BuildConfig,
    arch: Arch,
    *,
    fetchers: Mapping[str, ArchiveFetcher],
    store: DerivedBlobStore,
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
        config_digest=resolution_digest(config.distro, arch, debian_inputs(config)),
        arch=arch,
        distro=config.distro,
        repositories=tuple(_locked_suite(suite) for suite in universe.suites),
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


def _locked_suite(suite: Suite) -> LockedRepository:
    return LockedRepository(
        mirror=suite.repository.archive,
        name=suite.repository.suite,
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

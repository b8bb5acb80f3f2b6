"""A Debian root file system: packages unpacked as a value, configured in a sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bootsmith.errors import ImageError
from bootsmith.model.digest import Digest
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.steps import StepRunner
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.lock import Lock, LockedPackage
from bootsmith.plan.resolve import repositories
from bootsmith.sandbox.executor import SandboxJob
from bootsmith.sources.debian.configure import configuration
from bootsmith.sources.debian.finish import finish
from bootsmith.sources.debian.unpack import unpack
from bootsmith.sources.debian.unpacked import ChosenDeb, UnpackedDeb, unpack_debs
from bootsmith.tree.entry import HardLink
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import overlay

_BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledRoot:
    """``epoch_s`` is the time that nothing in the image may be newer than."""

    tree: FileTree
    epoch_s: int


def install_debian(
    lock: Lock, request: BuildRequest, bench: Workbench, *, step_id: Digest
) -> InstalledRoot:
    """Unpack and configure the packages of ``lock``, which are in the store.

    Raises ``ArchiveError`` for a package that is not what it should be, ``StepFailed`` when a
    maintainer script fails, ``HostError`` when this machine cannot run them.
    """
    bench.reporter.stage(f"Unpacking {len(lock.packages)} packages")
    debs = unpack_debs([_chosen(package) for package in lock.packages], store=bench.store)
    tree = unpack(debs, arch=lock.arch.dpkg)
    epoch_s = request.source_date_epoch
    if epoch_s is None:
        epoch_s = _newest(debs)
    bench.reporter.stage("Configuring the packages")
    runner = StepRunner(
        bench=bench,
        executor=bench.executor,
        hostname=request.config.hostname,
        epoch_s=epoch_s,
    )
    work = configuration([deb.control for deb in debs], dpkg_version=_dpkg(lock))
    job = SandboxJob(commands=work.commands, files=work.files, hostname=request.config.hostname)
    configured = runner.run(tree, job, step_id=step_id)
    return InstalledRoot(
        tree=tidy_debian(configured, request, bench, epoch_s=epoch_s), epoch_s=epoch_s
    )


def tidy_debian(
    tree: FileTree, request: BuildRequest, bench: Workbench, *, epoch_s: int
) -> FileTree:
    """``tree`` without the logs, caches and dates that programs left which ran in it."""
    apt = repositories(request.config.debian)
    return finish(tree, apt, epoch_s=epoch_s, blobs=bench.store)


def kernel_tree(lock: Lock, bench: Workbench) -> FileTree:
    """The files of the kernel's package, which is opened and not installed."""
    (deb,) = unpack_debs([_chosen(lock.kernel)], store=bench.store)
    return overlay(FileTree(), deb.data)


def _chosen(package: LockedPackage) -> ChosenDeb:
    return ChosenDeb(
        name=package.name,
        version=package.version,
        architecture=package.arch,
        digest=package.digest,
        size_bytes=package.size_bytes,
    )


def _dpkg(lock: Lock) -> str:
    for package in lock.packages:
        if package.name == "dpkg":
            return package.version
    raise ImageError("dpkg is not among the packages, so nothing can configure them")


def _newest(debs: Iterable[UnpackedDeb]) -> int:
    """When the newest file of the packages was made: the build's own time, if nobody sets it."""
    return max(
        member.entry.metadata.mtime_ns // _BILLION
        for deb in debs
        for member in deb.data.members
        if not isinstance(member.entry, HardLink)
    )

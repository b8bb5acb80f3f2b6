"""Debian as a build sees it: apt's choice, packages unpacked as a value, dpkg's configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from bootsmith.errors import FetchError, ImageError
from bootsmith.host.gpgv import gpgv
from bootsmith.model.digest import Digest, RemoteBlob
from bootsmith.model.guest_command import GuestFile
from bootsmith.model.guest_path import GuestPath
from bootsmith.model.similar import similar
from bootsmith.pipeline.debian_mirrors import DebianMirrors
from bootsmith.pipeline.distribution import InstalledRoot
from bootsmith.pipeline.key_files import read_keys
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.steps import StepRunner
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.build_plan import InstallPackages
from bootsmith.plan.debian import debian_inputs, repositories, resolve_debian
from bootsmith.plan.lock import Lock, LockedPackage, resolution_digest
from bootsmith.sandbox.executor import Executor, SandboxJob
from bootsmith.sources.debian.configure import SERVICE_BLOCKERS, configuration
from bootsmith.sources.debian.finish import finish
from bootsmith.sources.debian.mirror import SUITES
from bootsmith.sources.debian.openpgp import require_certificates
from bootsmith.sources.debian.trust import Keyring, debian_keyring
from bootsmith.sources.debian.unpack import unpack
from bootsmith.sources.debian.unpacked import ChosenDeb, UnpackedDeb, unpack_debs
from bootsmith.tree.entry import HardLink
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import overlay

_BILLION = 1_000_000_000
_NOT_FOUND = 404


class Debian:
    """See ``Distribution``."""

    def __init__(self, request: BuildRequest, bench: Workbench) -> None:
        self._request = request
        self._bench = bench
        self._config = request.config.debian
        self._mirrors = DebianMirrors(self._config, bench.mirrors)
        self.kernel_image: GuestPath | None = None
        self.minirootfs: Digest | None = None
        self.title = f"Debian {self._config.suite}"

    @property
    def resolution_digest(self) -> Digest:
        config = self._request.config
        return resolution_digest(config.distro, self._request.arch, debian_inputs(config))

    def require_files(self) -> None:
        if self._request.lock is None:  # with one, no index is read that they sign
            _ = self._keys  # reading tells

    def resolve(self) -> Lock:
        for archive, mirror in self._mirrors.by_archive.items():
            self._bench.reporter.detail(f"{archive}: {mirror.url}, from {mirror.named_by}")
        try:
            return resolve_debian(
                self._request.config,
                self._request.arch,
                fetchers=self._mirrors.indexes(),
                store=self._bench.store,
                keyring=self._keyring(),
                now=self._bench.now,
                allow_unsigned=self._bench.allow_unsigned,
            )
        except FetchError as error:
            raise self._about_the_suite(error) from error

    def remote(self, package: LockedPackage) -> RemoteBlob:
        url = f"{self._mirrors.url(package.mirror)}/{package.path}"
        return RemoteBlob(descriptor=package.descriptor, urls=(url,))

    def install_step(self, packages: Sequence[LockedPackage]) -> InstallPackages:
        return InstallPackages(
            distro="debian",
            packages=tuple(package.digest for package in packages),
            sources=tuple(
                f"{one} {' '.join(one.components)}" for one in repositories(self._config)
            ),
            hostname=self._request.config.hostname,
        )

    def install(
        self,
        lock: Lock,
        executor: Executor,
        *,
        step_id: Digest,
        on_dated: Callable[[int], object],
    ) -> InstalledRoot:
        report, hostname = self._bench.reporter, self._request.config.hostname
        report.stage(f"Unpacking {len(lock.packages)} packages")
        debs = unpack_debs([_chosen(package) for package in lock.packages], store=self._bench.store)
        tree = unpack(debs, arch=lock.arch.dpkg)
        epoch_s = self._request.source_date_epoch
        if epoch_s is None:
            epoch_s = _newest(debs)
        on_dated(epoch_s)
        report.stage("Configuring the packages")
        runner = StepRunner(
            bench=self._bench, executor=executor, hostname=hostname, epoch_s=epoch_s
        )
        work = configuration([deb.control for deb in debs], dpkg_version=_dpkg(lock))
        job = SandboxJob(commands=work.commands, files=work.files, hostname=hostname)
        tree = runner.run(tree, job, step_id=step_id)
        return InstalledRoot(tree=self.tidy(tree, epoch_s=epoch_s), epoch_s=epoch_s)

    def initramfs(
        self, lock: Lock, executor: Executor, *, step_id: Digest, epoch_s: int
    ) -> InstalledRoot:
        return InstalledRoot(tree=FileTree(), epoch_s=epoch_s)  # no config asks for any

    def kernel_tree(self, lock: Lock) -> FileTree:
        (deb,) = unpack_debs([_chosen(lock.kernel)], store=self._bench.store)
        return overlay(FileTree(), deb.data)

    def surroundings(self) -> tuple[GuestFile, ...]:
        return SERVICE_BLOCKERS

    def tidy(self, tree: FileTree, *, epoch_s: int) -> FileTree:
        return finish(tree, repositories(self._config), epoch_s=epoch_s, blobs=self._bench.store)

    def _keyring(self) -> Keyring:
        return debian_keyring(gpgv=gpgv).extended(*self._keys)

    @cached_property
    def _keys(self) -> tuple[bytes, ...]:
        keys = read_keys(
            self._config.keys,
            pointer="debian.keys",
            folder=self._bench.files,
            check=require_certificates,
        )
        return tuple(content for _, content in keys)

    def _about_the_suite(self, error: FetchError) -> FetchError:
        """``error``, when nobody has the suite: with who was asked, and what may be meant."""
        suite = self._config.suite
        mirrors = self._mirrors.by_archive.values()
        without = [one for mirror in mirrors for one in mirror.passed_over]
        is_missing = error.status == _NOT_FOUND and error.url.endswith(f"/{suite}/InRelease")
        if type(error) is not FetchError or not (without or is_missing):
            return error
        near = similar(suite, SUITES)
        return FetchError(
            f"no mirror has the suite {suite}: {'; '.join((*without, str(error)))}",
            url=error.url,
            status=error.status,
            retryable=error.retryable,
            hint=f"did you mean {near[0]}?" if near else "name a mirror that has it: --mirror",
        )


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

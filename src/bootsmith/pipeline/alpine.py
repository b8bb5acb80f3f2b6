"""Alpine as a build sees it: apk's choice, packages laid out as a value, their scripts run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from bootsmith.model.digest import Descriptor, Digest, RemoteBlob
from bootsmith.model.guest_command import GuestFile
from bootsmith.model.guest_path import GuestPath, guest_path
from bootsmith.pipeline.alpine_mirrors import AlpineMirrors
from bootsmith.pipeline.distribution import InstalledRoot
from bootsmith.pipeline.key_files import read_keys
from bootsmith.pipeline.mistakes import Mistakes
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.steps import StepRunner
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.alpine import (
    ApkChoice,
    alpine_inputs,
    branch,
    repositories,
    resolve_alpine,
    world,
)
from bootsmith.plan.build_plan import InstallPackages
from bootsmith.plan.lock import Lock, LockedPackage, resolution_digest
from bootsmith.sandbox.executor import Executor, SandboxJob
from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.opened import OpenedApks
from bootsmith.sources.alpine.trust import Keyring, alpine_keyring, fingerprint
from bootsmith.sources.alpine.unpacked import ChosenApk, UnpackedApk, known_apk
from bootsmith.sources.alpine.world import parse_world
from bootsmith.store.fetch import UnnamedBlob
from bootsmith.tree.file_tree import FileTree

if TYPE_CHECKING:
    from bootsmith.pipeline.alpine_minirootfs import AlpineMinirootfs
    from bootsmith.sources.alpine.minirootfs import BaseRoot


class Alpine:
    """See ``Distribution``.

    What lays packages out is loaded when they are laid out, as in ``pipeline.build``.
    """

    def __init__(self, request: BuildRequest, bench: Workbench) -> None:
        self._request = request
        self._bench = bench
        self._config = request.config.alpine
        self._mirrors = AlpineMirrors(self._config, bench.mirrors)
        self._opened = OpenedApks(bench.store)
        self.kernel_image: GuestPath | None = guest_path(f"boot/{self._config.kernel_image}")
        self.title = f"Alpine {branch(self._config)}"

    def close(self) -> None:
        """Have nothing go on beside the caller any more."""
        self._opened.close()

    @property
    def resolution_digest(self) -> Digest:
        config = self._request.config
        inputs = alpine_inputs(config, self.minirootfs)
        return resolution_digest(config.distro, self._request.arch, inputs)

    @property
    def minirootfs(self) -> Digest | None:
        return None if self._minirootfs is None else self._minirootfs.digest

    def require_files(self) -> None:
        mistakes = Mistakes()
        mistakes.noted(lambda: self._keys)
        mistakes.noted(lambda: self.minirootfs)
        mistakes.tell("files of alpine cannot be used")

    def resolve(self) -> Lock:
        mirror = self._mirrors.own
        self._bench.reporter.detail(f"mirror: {mirror.url}, from {mirror.named_by}")
        return resolve_alpine(
            self._request.config,
            self._request.arch,
            fetchers=self._mirrors.indexes(),
            store=self._bench.store,
            keyring=alpine_keyring(self._request.arch) | Keyring(self._keys),
            take_in=self._take_in,
            allow_unsigned=self._bench.allow_unsigned,
            minirootfs=None if self._minirootfs is None else self._minirootfs.resolved,
        )

    def remote(self, package: LockedPackage) -> RemoteBlob:
        url = f"{self._mirrors.url(package.mirror)}/{package.path}"
        return RemoteBlob(descriptor=package.descriptor, urls=(url,))

    def install_step(self, packages: Sequence[LockedPackage]) -> InstallPackages:
        return InstallPackages(
            distro="alpine",
            packages=tuple(package.digest for package in packages),
            sources=tuple(map(str, repositories(self._config))),
            world=tuple(map(str, self._world)),
            keys=tuple(Digest.of(key) for _, key in sorted(self._keys.items())),
            hostname=self._request.config.hostname,
            minirootfs=self.minirootfs,
        )

    def install(
        self,
        lock: Lock,
        executor: Executor,
        *,
        step_id: Digest,
        on_dated: Callable[[int], object],
    ) -> InstalledRoot:
        self._bench.reporter.stage(f"Unpacking {len(lock.packages)} packages")
        apks = self._unpack(lock.packages)
        epoch_s = self._request.source_date_epoch
        if epoch_s is None:
            epoch_s = max(apk.package.build_time for apk in apks)
        on_dated(epoch_s)
        self._bench.reporter.stage("Configuring the packages")
        runner = self._runner(executor, epoch_s)
        base = None if self._minirootfs is None else self._minirootfs.root
        tree = self._installed(runner, lock.packages, apks, self._world, step_id=step_id, base=base)
        return InstalledRoot(tree=tree, epoch_s=epoch_s)

    def initramfs(
        self, lock: Lock, executor: Executor, *, step_id: Digest, epoch_s: int
    ) -> InstalledRoot:
        self._bench.reporter.stage(f"Unpacking {len(lock.initramfs)} packages for the initramfs")
        apks = self._unpack(lock.initramfs)
        runner = self._runner(executor, epoch_s)
        asked = parse_world(self._config.initramfs_packages)
        tree = self._installed(runner, lock.initramfs, apks, asked, step_id=step_id)
        return InstalledRoot(tree=tree, epoch_s=epoch_s)

    def kernel_tree(self, lock: Lock) -> FileTree:
        from bootsmith.sources.alpine.install import install

        return install(self._unpack([lock.kernel]), blobs=self._bench.store).tree

    def surroundings(self) -> tuple[GuestFile, ...]:
        return ()

    def tidy(self, tree: FileTree, *, epoch_s: int) -> FileTree:
        from bootsmith.sources.alpine.finish import tidy

        return tidy(tree, epoch_s=epoch_s, blobs=self._bench.store)

    @cached_property
    def _keys(self) -> dict[str, bytes]:
        """The config's keys by the name under which signatures mention them."""
        return dict(
            read_keys(
                self._config.keys,
                pointer="alpine.keys",
                folder=self._bench.files,
                check=fingerprint,
            )
        )

    @cached_property
    def _minirootfs(self) -> AlpineMinirootfs | None:
        if self._config.minirootfs is None:
            return None
        from bootsmith.pipeline.alpine_minirootfs import AlpineMinirootfs  # few configs have one

        return AlpineMinirootfs(self._config.minirootfs, self._request.arch, self._bench)

    @property
    def _world(self) -> tuple[Dependency, ...]:
        return world(self._config, self._minirootfs.root.world if self._minirootfs else ())

    def _take_in(self, chosen: Sequence[ApkChoice]) -> Sequence[Descriptor]:
        store = self._bench.store
        missing = [one for one in chosen if known_apk(one.package, store=store) is None]
        if missing:
            self._bench.reporter.stage(f"Fetching {len(missing)} of {len(chosen)} packages")
        self._bench.fetcher.take_in(map(self._unnamed, missing))
        found = [known_apk(one.package, store=store) for one in chosen]
        return [one for one in found if one is not None]

    def _unnamed(self, choice: ApkChoice) -> UnnamedBlob:
        return UnnamedBlob(
            key=choice.package.identity,
            size_bytes=choice.package.size_bytes,
            url=f"{self._mirrors.url(choice.repository.mirror)}/{choice.path}",
            admit=partial(self._opened.admit, choice.package),
        )

    def _unpack(self, packages: Sequence[LockedPackage]) -> tuple[UnpackedApk, ...]:
        chosen = [
            ChosenApk(name=one.name, version=one.version, arch=one.arch, digest=one.digest)
            for one in packages
        ]
        return self._opened.open(chosen)

    def _runner(self, executor: Executor, epoch_s: int) -> StepRunner:
        hostname = self._request.config.hostname
        return StepRunner(bench=self._bench, executor=executor, hostname=hostname, epoch_s=epoch_s)

    def _installed(
        self,
        runner: StepRunner,
        packages: Sequence[LockedPackage],
        apks: Sequence[UnpackedApk],
        asked: Sequence[Dependency],
        *,
        step_id: Digest,
        base: BaseRoot | None = None,
    ) -> FileTree:
        blobs = self._bench.store
        from bootsmith.sources.alpine.configure import configuration
        from bootsmith.sources.alpine.finish import finish
        from bootsmith.sources.alpine.install import install, settle_owners

        laid = install(
            apks,
            blobs=blobs,
            base=None if base is None else base.tree,
            returned=() if base is None else base.returned,
            tags=[one.tag for one in packages],
        )
        work = configuration(laid.packages)
        job = SandboxJob(commands=work.commands, files=work.files, hostname=runner.hostname)
        tree = runner.run(laid.tree, job, step_id=step_id)
        return finish(
            settle_owners(laid, tree, blobs=blobs),
            arch=self._request.arch.apk,
            world=asked,
            repositories=repositories(self._config),
            keys=self._keys,
            epoch_s=runner.epoch_s,
            blobs=blobs,
        )

"""Making an image, once it is decided what goes in and every input is in the store."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bootsmith.host.files import FileSink
from bootsmith.manifest.manifest import LOCK_NAME, MANIFEST_NAME, Manifest, encode_manifest
from bootsmith.model.canonical_json import digest_of
from bootsmith.pipeline.boot_layer import BootLayer, boot_layer
from bootsmith.pipeline.build_access import GuardedExecutor
from bootsmith.pipeline.distribution import Distribution, InstalledRoot
from bootsmith.pipeline.guest_layer import add_guest
from bootsmith.pipeline.host_inputs import HostInputs
from bootsmith.pipeline.image_record import image_manifest
from bootsmith.pipeline.kept import kept_boot, kept_root
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.steps import StepRunner
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.build_plan import BuildPlan, RunCommand
from bootsmith.plan.lock import Lock, encode_lock
from bootsmith.tree.entry import Content, Directory, Member
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, overlay
from bootsmith.tree.normalise import clamp_times

# What writes file systems is loaded while the packages' scripts run.
if TYPE_CHECKING:
    from bootsmith.pipeline.artifacts import ArtifactFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBuild:
    """One image to be.  ``krun_kernel`` is libkrun's, if the image is to have it."""

    request: BuildRequest
    bench: Workbench
    distribution: Distribution
    inputs: HostInputs
    lock: Lock
    plan: BuildPlan
    krun_kernel: Content | None

    def write(self, folder: Path) -> Manifest:
        """Write every file of the image into ``folder``.  Raises the errors of every stage."""
        with ThreadPoolExecutor(1, thread_name_prefix="beside") as beside, _to_be_known() as epoch:
            # What boots is made while the packages' scripts run: these only wait for each other.
            kernel = beside.submit(self._boot_layer, epoch)
            begun = beside.submit(self._boot_files, folder, kernel, beside)
            installed = self._installed(epoch)
            epoch_s = installed.epoch_s
            # A kernel that is none is told before the user's commands take their time.
            boot = kernel.result()
            root = self._after_steps(installed)
            files = begun.result()
            if self.lock.initramfs:
                files.write_initramfs(self._initramfs(boot, epoch_s=epoch_s))
            self.bench.reporter.stage("Writing the image")
            self._write_rootfs(files, root, boot, epoch_s=epoch_s)
            if self.krun_kernel is not None:
                files.write_krun(self.krun_kernel)
            artifacts = files.finished()
        manifest = image_manifest(self.request, self.lock, self.plan, artifacts, epoch_s=epoch_s)
        _write(folder / LOCK_NAME, encode_lock(self.lock))
        _write(folder / MANIFEST_NAME, encode_manifest(manifest))
        return manifest

    def _boot_layer(self, epoch: Future[int]) -> BootLayer:
        """What boots, with its times at ``epoch`` once that is known."""
        lock, config, image = self.lock, self.request.config, self.distribution.kernel_image
        init = self.inputs.guest.initramfs_init
        inputs = {
            "kernel": str(lock.kernel.digest),
            "modules": config.kernel.modules,
            "arch": self.request.arch.value,
            "installed": lock.has_kernel_installed,
            "image": image.decode() if image else None,
            "init": str(init.blob),
        }
        boot = kept_boot(
            self.bench.store,
            inputs,
            lambda: boot_layer(
                self.distribution.kernel_tree(lock),
                config.kernel,
                arch=self.request.arch,
                image=image,
                is_installed=lock.has_kernel_installed,
                init=init,
                blobs=self.bench.store,
            ),
        )
        return boot.dated(epoch.result())

    def _boot_files(self, folder: Path, boot: Future[BootLayer], beside: Executor) -> ArtifactFiles:
        """The image's files, begun with what boots; an initramfs with packages is still missing."""
        from bootsmith.pipeline.artifacts import ArtifactFiles

        files = ArtifactFiles(folder, blobs=self.bench.store, beside=beside)
        files.write_kernel(boot.result().kernel)
        if not self.lock.initramfs:
            files.write_initramfs(boot.result().initramfs)
        return files

    def _installed(self, epoch: Future[int]) -> InstalledRoot:
        """The tree after the first step; ``epoch`` is told as soon as it is known."""
        step_id = self.plan.step_ids[0]
        installed = kept_root(
            self.bench.store,
            {"step": str(step_id), "epoch": self.request.source_date_epoch},
            lambda: self.distribution.install(
                self.lock, self.bench.executor, step_id=step_id, on_dated=epoch.set_result
            ),
        )
        if not epoch.done():
            epoch.set_result(installed.epoch_s)
        return installed

    def _after_steps(self, installed: InstalledRoot) -> FileTree:
        """The tree after all further steps."""
        access, steps = self.inputs.access, self.plan.steps
        runner = StepRunner(
            bench=self.bench,
            executor=GuardedExecutor(executor=self.bench.executor, access=access),
            hostname=self.request.config.hostname,
            epoch_s=installed.epoch_s,
            surroundings=self.distribution.surroundings(),
        )
        tree = installed.tree
        for step, step_id in zip(steps[1:], self.plan.step_ids[1:], strict=True):
            tree = runner.carry_out(tree, step, access.layer_id(step_id))
        if any(isinstance(step, RunCommand) for step in steps):
            tree = self.distribution.tidy(tree, epoch_s=installed.epoch_s)
        return tree

    def _initramfs(self, boot: BootLayer, *, epoch_s: int) -> FileTree:
        """What boots, on top of the packages that the config wants in the initramfs."""
        wanted = [str(package.digest) for package in self.lock.initramfs]
        step_id = digest_of({"initramfs": wanted, "like": str(self.plan.step_ids[0])})
        base = kept_root(
            self.bench.store,
            {"step": str(step_id), "epoch": epoch_s},
            lambda: self.distribution.initramfs(
                self.lock, self.bench.executor, step_id=step_id, epoch_s=epoch_s
            ),
        )
        # Folders that both have stay as the packages have them.
        ours = [
            Member(path, entry)
            for path, entry in boot.initramfs.items()
            if path and not (isinstance(entry, Directory) and path in base.tree)
        ]
        return clamp_times(overlay(base.tree, Layer(tuple(ours))), epoch_s=epoch_s)

    def _write_rootfs(
        self, files: ArtifactFiles, root: FileTree, boot: BootLayer, *, epoch_s: int
    ) -> None:
        from bootsmith.pipeline.added_modules import index_added_modules
        from bootsmith.pipeline.artifacts import ext4_options

        report, config = self.bench.reporter, self.request.config
        root = index_added_modules(
            overlay(root, boot.modules),
            boot.modules,
            epoch_s=epoch_s,
            blobs=self.bench.store,
            reporter=report,
        )
        root = add_guest(root, self.inputs.guest, self.request, epoch_s=epoch_s, reporter=report)
        files.write_rootfs(
            clamp_times(root, epoch_s=epoch_s),
            ext4_options(config.rootfs, self.plan, epoch_s=epoch_s),
        )


@contextmanager
def _to_be_known() -> Iterator[Future[int]]:
    """A number to come.  Who still waits for it when the block ends is told that none will."""
    number: Future[int] = Future()
    try:
        yield number
    finally:
        number.cancel()


def _write(path: Path, data: bytes) -> None:
    with FileSink(path) as sink:
        sink.write(data)

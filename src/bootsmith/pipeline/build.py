"""A build from its request to its published folder: the seven lines of the architecture."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootsmith._version import __version__
from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import ImageError
from bootsmith.host.environment import own_sources_digest
from bootsmith.host.files import FileSink
from bootsmith.host.publish import publish_folder
from bootsmith.manifest.image_place import require_image_place
from bootsmith.manifest.manifest import (
    INITRAMFS_NAME,
    KERNEL_NAME,
    KRUN_INITRD_NAME,
    KRUN_KERNEL_NAME,
    LOCK_NAME,
    MANIFEST_NAME,
    ROOTFS_NAME,
    Artifact,
    Manifest,
    encode_manifest,
)
from bootsmith.model.canonical_json import digest_of
from bootsmith.pipeline.build_access import BuildAccess, GuardedExecutor
from bootsmith.pipeline.distribution import Distribution, InstalledRoot
from bootsmith.pipeline.distributions import distribution_of
from bootsmith.pipeline.guest_layer import add_guest
from bootsmith.pipeline.guest_programs import GuestFiles
from bootsmith.pipeline.host_inputs import host_inputs
from bootsmith.pipeline.krun import Krun, krun_record
from bootsmith.pipeline.planning import make_plan
from bootsmith.pipeline.published import Published
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.steps import StepRunner, has_work_for_sandbox
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.build_plan import BuildPlan, RunCommand
from bootsmith.plan.lock import Lock, check_lock, encode_lock
from bootsmith.tree.entry import Directory, Member
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, overlay
from bootsmith.tree.normalise import clamp_times

# What makes kernels, trees and file systems is loaded by the functions that make some: a build
# that finds nothing changed is to be over before that.
if TYPE_CHECKING:
    from bootsmith.pipeline.artifacts import ArtifactFiles
    from bootsmith.pipeline.boot_layer import BootLayer

ARTIFACT_NAMES = (
    KERNEL_NAME, INITRAMFS_NAME, ROOTFS_NAME, KRUN_KERNEL_NAME, KRUN_INITRD_NAME, LOCK_NAME,
    MANIFEST_NAME,
)  # fmt: skip
"""What a build writes, in the order of publication."""


def build(request: BuildRequest, bench: Workbench) -> Manifest:
    """Build the image and publish it at ``request.output``.

    Nothing is done when the image there, or in one of ``request.elsewhere``, is already what
    would be built, byte for byte.
    Raises the errors of every stage; ``request.output`` is then as it was.
    """
    report = bench.reporter
    require_image_place(request.output, ARTIFACT_NAMES)
    distribution = distribution_of(request, bench)
    krun = Krun(request, bench)
    inputs = host_inputs(request, distribution, bench)
    guest, access = inputs.guest, inputs.access
    lock = _lock(request, distribution, krun, bench)
    plan = make_plan(request, lock, inputs, distribution, bench)
    published = Published(output=request.output, store=bench.store, access=access.fingerprint)
    for place in (published, *(replace(published, output=one) for one in request.elsewhere)):
        finished = place.find(plan, lock, request.config, builder=_builder())
        if finished is not None:
            report.stage("Nothing has changed")
            bench.accept(place.output)
            return finished
    if has_work_for_sandbox(plan, bench.store, named=access.layer_id):
        bench.executor.require()
    _fetch(lock, distribution, krun, bench)
    krun_kernel = krun.kernel(lock)
    machine_kernel = partial(distribution.kernel_tree, lock)
    bench = replace(bench, executor=bench.executor.with_kernel(machine_kernel))
    with (
        publish_folder(request.output, ours=ARTIFACT_NAMES) as staging,
        ThreadPoolExecutor(1, thread_name_prefix="kernel") as beside,
    ):
        # What boots is made while the packages' scripts run: these only wait for each other.
        epoch: Future[int] = Future()
        kernel = beside.submit(_boot_layer, request, bench, lock, guest, distribution, epoch=epoch)
        begun = beside.submit(_boot_files, staging, kernel, bench, lock)
        installed = _install(request, bench, lock, plan, distribution, epoch=epoch)
        epoch_s = installed.epoch_s
        # A kernel that is none is told before the user's commands take their time.
        boot = kernel.result()
        root = _carry_out(request, bench, plan, installed, access=access, distribution=distribution)
        files = begun.result()
        if lock.initramfs:
            files.write_initramfs(
                _initramfs(boot, bench, lock, plan, distribution, epoch_s=epoch_s)
            )
        report.stage("Writing the image")
        from bootsmith.pipeline.added_modules import index_added_modules
        from bootsmith.pipeline.artifacts import ext4_options

        root = index_added_modules(
            overlay(root, boot.modules),
            boot.modules,
            epoch_s=epoch_s,
            blobs=bench.store,
            reporter=report,
        )
        root = add_guest(root, guest, request, epoch_s=epoch_s, reporter=report)
        files.write_rootfs(
            clamp_times(root, epoch_s=epoch_s),
            ext4_options(request.config.rootfs, plan, epoch_s=epoch_s),
        )
        if krun_kernel is not None:
            files.write_krun(krun_kernel)
        artifacts = files.finished()
        manifest = _manifest(request, lock, plan, artifacts, epoch_s=epoch_s)
        _write(staging / LOCK_NAME, encode_lock(lock))
        _write(staging / MANIFEST_NAME, encode_manifest(manifest))
        bench.accept(staging)
    published.remember(manifest)
    return manifest


def _lock(request: BuildRequest, distribution: Distribution, krun: Krun, bench: Workbench) -> Lock:
    lock = request.lock
    if lock is None:
        bench.reporter.stage(f"Resolving {distribution.title} for {request.arch}")
        archive = krun.choose()
        lock = distribution.resolve().model_copy(update={"krun": archive})
    else:
        check_lock(lock, distribution.resolution_digest, minirootfs=distribution.minirootfs)
        krun.check(lock)
    _tell_unsigned(lock, bench)
    return lock


def _tell_unsigned(lock: Lock, bench: Workbench) -> None:
    """Warn of what nobody signed.  Raises ``ImageError`` when that is not allowed."""
    if lock.unsigned and not bench.allow_unsigned:
        raise ImageError(
            f"the lock names packages of unsigned repositories: {', '.join(lock.unsigned)}",
            hint="build again without --locked, or with --allow-unsigned if you know why",
        )
    for name in lock.unsigned:
        bench.reporter.warning(f"{name} is not signed by a trusted key")


def _fetch(lock: Lock, distribution: Distribution, krun: Krun, bench: Workbench) -> None:
    """Have every input in the store; no mirror is looked for when all are."""
    wanted = list(lock.blobs())
    missing = [one for one in wanted if not bench.store.has(one.digest)]
    if missing:
        bench.reporter.stage(f"Fetching {len(missing)} of {len(wanted)} packages")
        bench.fetcher.fetch(
            krun.remote(one) if one == lock.krun else distribution.remote(one) for one in missing
        )


def _boot_layer(
    request: BuildRequest,
    bench: Workbench,
    lock: Lock,
    guest: GuestFiles,
    distribution: Distribution,
    *,
    epoch: Future[int],
) -> BootLayer:
    """What boots, with its times at ``epoch`` once that is known."""
    from bootsmith.pipeline.boot_layer import boot_layer
    from bootsmith.pipeline.kept import kept_boot

    image = distribution.kernel_image
    inputs = {
        "kernel": str(lock.kernel.digest),
        "modules": request.config.kernel.modules,
        "arch": request.arch.value,
        "installed": lock.has_kernel_installed,
        "image": image.decode() if image else None,
        "init": str(guest.initramfs_init.blob),
    }
    boot = kept_boot(
        bench.store,
        inputs,
        lambda: boot_layer(
            distribution.kernel_tree(lock),
            request.config.kernel,
            arch=request.arch,
            image=image,
            is_installed=lock.has_kernel_installed,
            init=guest.initramfs_init,
            blobs=bench.store,
        ),
    )
    return boot.dated(epoch.result())


def _boot_files(
    folder: Path, boot: Future[BootLayer], bench: Workbench, lock: Lock
) -> ArtifactFiles:
    """An image's files, begun with what boots; an initramfs with packages is still missing."""
    from bootsmith.pipeline.artifacts import ArtifactFiles

    files = ArtifactFiles(folder, blobs=bench.store)
    files.write_kernel(boot.result().kernel)
    if not lock.initramfs:
        files.write_initramfs(boot.result().initramfs)
    return files


def _initramfs(
    boot: BootLayer,
    bench: Workbench,
    lock: Lock,
    plan: BuildPlan,
    distribution: Distribution,
    *,
    epoch_s: int,
) -> FileTree:
    """What boots, on top of the packages that the config wants in the initramfs."""
    from bootsmith.pipeline.kept import kept_root

    wanted = [str(package.digest) for package in lock.initramfs]
    step_id = digest_of({"initramfs": wanted, "like": str(plan.step_ids[0])})
    base = kept_root(
        bench.store,
        {"step": str(step_id), "epoch": epoch_s},
        lambda: distribution.initramfs(lock, bench.executor, step_id=step_id, epoch_s=epoch_s),
    )
    # Folders that both have stay as the packages have them.
    ours = [
        Member(path, entry)
        for path, entry in boot.initramfs.items()
        if path and not (isinstance(entry, Directory) and path in base.tree)
    ]
    return clamp_times(overlay(base.tree, Layer(tuple(ours))), epoch_s=epoch_s)


def _install(
    request: BuildRequest,
    bench: Workbench,
    lock: Lock,
    plan: BuildPlan,
    distribution: Distribution,
    *,
    epoch: Future[int],
) -> InstalledRoot:
    """The tree after the first step of ``plan``; ``epoch`` is told as soon as it is known."""
    from bootsmith.pipeline.kept import kept_root

    step_id = plan.step_ids[0]
    try:
        installed = kept_root(
            bench.store,
            {"step": str(step_id), "epoch": request.source_date_epoch},
            lambda: distribution.install(
                lock, bench.executor, step_id=step_id, on_dated=epoch.set_result
            ),
        )
        if not epoch.done():
            epoch.set_result(installed.epoch_s)
    finally:
        epoch.cancel()  # who waits for it is told that it will never be known
    return installed


def _carry_out(
    request: BuildRequest,
    bench: Workbench,
    plan: BuildPlan,
    installed: InstalledRoot,
    *,
    access: BuildAccess,
    distribution: Distribution,
) -> FileTree:
    """The tree after all further steps of ``plan``."""
    runner = StepRunner(
        bench=bench,
        executor=GuardedExecutor(executor=bench.executor, access=access),
        hostname=request.config.hostname,
        epoch_s=installed.epoch_s,
        surroundings=distribution.surroundings(),
    )
    tree = installed.tree
    for step, step_id in zip(plan.steps[1:], plan.step_ids[1:], strict=True):
        tree = runner.carry_out(tree, step, access.layer_id(step_id))
    if any(isinstance(step, RunCommand) for step in plan.steps):
        tree = distribution.tidy(tree, epoch_s=installed.epoch_s)
    return tree


def _manifest(
    request: BuildRequest,
    lock: Lock,
    plan: BuildPlan,
    artifacts: dict[str, Artifact],
    *,
    epoch_s: int,
) -> Manifest:
    return Manifest(
        arch=request.arch,
        build_time=datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        artifacts=artifacts,
        config=request.config.as_json(),
        rootfs_mode=request.config.runtime_defaults.rootfs_mode,
        record={
            "builder": _builder(),
            "planId": str(plan.id),
            "sourceDateEpoch": epoch_s,
            "initramfsCompression": "lz4",
            "unsignedRepositories": list(lock.unsigned),
            "kernel": {"package": lock.kernel.name, "version": lock.kernel.version},
            **krun_record(lock, request.config),
            **_minirootfs_record(lock, request.config),
            "packages": {package.name: package.version for package in lock.packages},
        },
    )


def _minirootfs_record(lock: Lock, config: BuildConfig) -> dict[str, Any]:
    """``pinned`` tells whether the config said what the archive is; nobody signs it."""
    archive, named = lock.minirootfs, config.alpine.minirootfs
    if archive is None or named is None:
        return {}
    return {"minirootfs": {"digest": str(archive.digest), "pinned": named.sha256 is not None}}


def _builder() -> dict[str, str]:
    return {"version": __version__, "sources": str(own_sources_digest())}


def _write(path: Path, data: bytes) -> None:
    with FileSink(path) as sink:
        sink.write(data)

"""A build from its request to its published folder: the seven lines of the architecture."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bootsmith.errors import ImageError
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
    Manifest,
)
from bootsmith.pipeline.distribution import Distribution
from bootsmith.pipeline.distributions import distribution_of
from bootsmith.pipeline.host_inputs import host_inputs
from bootsmith.pipeline.image_record import builder
from bootsmith.pipeline.krun import Krun
from bootsmith.pipeline.planning import make_plan
from bootsmith.pipeline.published import Published
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.steps import has_work_for_sandbox
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.lock import Lock, check_lock

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
    require_image_place(request.output, ARTIFACT_NAMES)
    with distribution_of(request, bench) as distribution:
        return _build(request, bench, distribution)


def _build(request: BuildRequest, bench: Workbench, distribution: Distribution) -> Manifest:
    krun = Krun(request, bench)
    inputs = host_inputs(request, distribution, bench)
    lock = _lock(request, distribution, krun, bench)
    plan = make_plan(request, lock, inputs, distribution, bench)
    published = Published(
        output=request.output, store=bench.store, access=inputs.access.fingerprint
    )
    for place in (published, *(replace(published, output=one) for one in request.elsewhere)):
        finished = place.find(plan, lock, request.config, builder=builder())
        if finished is not None:
            bench.reporter.stage("Nothing has changed")
            bench.accept(place.output)
            return finished
    if has_work_for_sandbox(plan, bench.store, named=inputs.access.layer_id):
        bench.executor.require()
    _fetch(lock, distribution, krun, bench)
    # What makes kernels and trees; a build that finds nothing changed is over by now.
    from bootsmith.pipeline.image_build import ImageBuild

    machine_kernel = partial(distribution.kernel_tree, lock)
    image = ImageBuild(
        request=request,
        bench=replace(bench, executor=bench.executor.with_kernel(machine_kernel)),
        distribution=distribution,
        inputs=inputs,
        lock=lock,
        plan=plan,
        krun_kernel=krun.kernel(lock),
    )
    with publish_folder(request.output, ours=ARTIFACT_NAMES) as staging:
        manifest = image.write(staging)
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

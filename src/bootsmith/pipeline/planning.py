"""From config and lock to a plan: what the user's files are is known from here on."""

from __future__ import annotations

from collections.abc import Iterator

from bootsmith.host.files import user_path
from bootsmith.pipeline.copy_in import take_in
from bootsmith.pipeline.guest_layer import GuestFiles
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.build_plan import (
    BuildPlan,
    CopyIn,
    InstallPackages,
    RunCommand,
    Step,
    WriteFile,
)
from bootsmith.plan.lock import Lock
from bootsmith.plan.resolve import repositories


def make_plan(request: BuildRequest, lock: Lock, guest: GuestFiles, bench: Workbench) -> BuildPlan:
    """The plan of ``request``.  Files of the host that it names enter the store here.

    Raises ``HostError`` when one cannot be read.
    """
    config = request.config
    return BuildPlan(
        arch=request.arch,
        steps=tuple(_steps(request, lock, bench)),
        kernel=lock.kernel.digest,
        guest=guest.digest,
        options={
            "kernelModules": config.kernel.modules,
            "rootfs": config.rootfs.model_dump(mode="json", exclude_none=True),
            "hostname": config.hostname,
            "env": dict(config.env),
        },
        source_date_epoch=request.source_date_epoch,
    )


def _steps(request: BuildRequest, lock: Lock, bench: Workbench) -> Iterator[Step]:
    config = request.config
    yield InstallPackages(
        distro=config.distro,
        packages=tuple(package.digest for package in lock.packages),
        sources=tuple(f"{one} {' '.join(one.components)}" for one in repositories(config.debian)),
        hostname=config.hostname,
    )
    for item in config.post_build.copy_:
        source = user_path(item.src, base=bench.files)
        yield CopyIn(layer=take_in(source, bench.store), target=item.dest)
    for file in config.files:
        kept = bench.store.add_blob([file.content.encode()])
        yield WriteFile(path=file.path, content=kept.digest, mode=file.mode, owner=file.owner)
    for command in config.post_build.commands:
        yield RunCommand(command=command, network=True)

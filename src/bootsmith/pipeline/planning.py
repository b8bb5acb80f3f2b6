"""From config and lock to a plan: what the user's files are is known from here on."""

from __future__ import annotations

from collections.abc import Iterator

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import ConfigError, Problem
from bootsmith.pipeline.distribution import Distribution
from bootsmith.pipeline.guest_layer import sshd_options
from bootsmith.pipeline.host_inputs import HostInputs
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.build_plan import (
    BuildPlan,
    InstallPackages,
    MakeLogins,
    RunCommand,
    Step,
    WriteFile,
)
from bootsmith.plan.lock import Lock

_SSHD = "openssh-server"  # its package is called so in both distributions
_PACKAGES = {"alpine": "alpine.rootfsPackages", "debian": "debian.packages"}


def make_plan(
    request: BuildRequest,
    lock: Lock,
    inputs: HostInputs,
    distribution: Distribution,
    bench: Workbench,
) -> BuildPlan:
    """The plan of ``request``.  Contents of its files enter the store here.

    Raises ``ConfigError`` when ssh is asked for and nothing brings it.
    """
    config = request.config
    _require_sshd(config, lock)
    return BuildPlan(
        arch=request.arch,
        steps=tuple(_steps(request, distribution.install_step(lock.packages), inputs, bench)),
        kernel=lock.kernel.digest,
        guest=inputs.guest.digest,
        options={
            "kernelModules": config.kernel.modules,
            "rootfs": config.rootfs.model_dump(mode="json", exclude_none=True),
            "hostname": config.hostname,
            "env": dict(config.env),
            "krun": None if lock.krun_archive is None else str(lock.krun_archive.digest),
            "initramfs": [str(package.digest) for package in lock.initramfs],
            "sshd": None if config.ssh is None else sshd_options(config),
        },
        source_date_epoch=request.source_date_epoch,
    )


def _require_sshd(config: BuildConfig, lock: Lock) -> None:
    """The image itself is looked at in the end; what can be told is told before any work."""
    may_come = config.post_build.copy_ or config.post_build.commands
    if config.ssh is None or may_come or _SSHD in {package.name for package in lock.packages}:
        return
    problem = Problem(
        pointer="ssh",
        message="the image would have no sshd",
        suggestion=f"add {_SSHD} to {_PACKAGES[config.distro]}",
    )
    raise ConfigError("ssh is asked for, and no package brings it", problems=(problem,))


def _steps(
    request: BuildRequest, install: InstallPackages, inputs: HostInputs, bench: Workbench
) -> Iterator[Step]:
    config = request.config
    yield install
    if inputs.logins:
        yield MakeLogins(logins=inputs.logins)
    yield from inputs.copies
    for file in config.files:
        kept = bench.store.add_blob([file.content.encode()])
        yield WriteFile(path=file.path, content=kept.digest, mode=file.mode, owner=file.owner)
    commands = config.post_build.commands
    for index, command in enumerate(commands):
        label = f"postBuild.commands[{index}] ({index + 1} of {len(commands)})"
        yield RunCommand(command=command, network=True, label=label)

"""What machine an image runs in, and how its commands end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from bootsmith.errors import ConfigError, Problem, VMError
from bootsmith.host.files import user_path
from bootsmith.sdk.boot_files import BootFiles
from bootsmith.sdk.option_checks import (
    Check,
    file_path,
    flag,
    one_of,
    optional,
    require_sound,
    seconds,
    shares,
    whole_number,
    words,
)
from bootsmith.vm.boot_args import kernel_command_line
from bootsmith.vm.machine import (
    Accelerator,
    DiskFormat,
    DiskMode,
    Drive,
    MachineSpec,
    Network,
    Share,
    default_machine,
)

RootfsMode: TypeAlias = Literal["readonly", "memory", "cow"]
Acceleration: TypeAlias = Literal["auto", "kvm", "hvf", "tcg"]

MOST_CPUS = 255
LEAST_MEMORY_MIB = 64
_MOST_MEMORY_MIB = 1 << 20  # all that QEMU's boards have addresses for when they are emulated
_SECTOR_BYTES = 512
_MOST_ROOTFS_BYTES = 16 << 40  # of ext4 with 32-bit block numbers

_DEFAULT_MODE: RootfsMode = "cow"
_CHECKS: Mapping[str, Check] = {
    "cpus": optional(whole_number(least=1, most=MOST_CPUS)),
    "memory_mib": whole_number(least=LEAST_MEMORY_MIB, most=_MOST_MEMORY_MIB, unit=" (MiB)"),
    "network": flag,
    "acceleration": one_of(*get_args(Acceleration)),
    "rootfs_mode": optional(one_of(*get_args(RootfsMode))),
    "rootfs_size_bytes": optional(
        whole_number(least=_SECTOR_BYTES, most=_MOST_ROOTFS_BYTES, multiple_of=_SECTOR_BYTES)
    ),
    "mounts": shares,
    "boot_args": words,
    "boot_timeout_s": optional(seconds),
    "console_log": optional(file_path),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """How a command in the guest ended.

    ``exit_code`` is 128 + n when ``signal`` n ended it and 127 when it could not be started.
    ``stdout`` and ``stderr`` are text, what is not UTF-8 replaced; the bytes stand beside.
    """

    exit_code: int
    stdout_bytes: bytes = b""
    stderr_bytes: bytes = b""
    signal: int | None = None

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        return self.stderr_bytes.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class VMOptions:
    """What machine an image runs in.

    ``cpus`` ``None`` is one under emulation and two else.  ``rootfs_mode`` ``None`` is the
    image's own default, else ``cow``: the image itself is never written to.
    ``rootfs_size_bytes`` makes disk and file system larger (``cow`` only).  ``mounts`` are
    folders of this machine that the guest sees.  ``boot_args`` come after ours on the kernel's
    command line.  ``boot_timeout_s`` ``None`` depends on the acceleration.  ``console_log`` is a
    file that receives all the guest prints on its console.

    Raises ``ConfigError``, with all that is wrong in its ``problems``, for values that no machine
    can have.
    """

    cpus: int | None = None
    memory_mib: int = 1024
    network: bool = True
    acceleration: Acceleration = "auto"
    rootfs_mode: RootfsMode | None = None
    rootfs_size_bytes: int | None = None
    mounts: tuple[Share, ...] = ()
    boot_args: tuple[str, ...] = ()
    boot_timeout_s: float | None = None
    console_log: str | Path | None = None

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        require_sound(
            "these options of a machine", values, _CHECKS, hint="see docs/running.md for them all"
        )

    @property
    def accelerator(self) -> Accelerator | None:
        return None if self.acceleration == "auto" else Accelerator(self.acceleration)


def machine_spec(
    files: BootFiles, options: VMOptions, *, checkpoint: Path | None = None
) -> MachineSpec:
    """The machine for ``files``; its accelerator is decided when it is started.

    Raises ``ConfigError`` and ``VMError`` for what this image's machine cannot be given.
    """
    mode = _disk_mode(files, options)
    if mode is not DiskMode.COW:
        _require_no_changes(mode, options, checkpoint)
    network = Network.USER if options.network else Network.NONE
    shares = tuple(
        replace(share, host_folder=user_path(share.host_folder)) for share in options.mounts
    )
    return MachineSpec(
        arch=files.arch,
        kernel=files.kernel,
        initramfs=files.initramfs,
        cmdline=kernel_command_line(
            files.arch,
            network=network,
            writable_root=mode is not DiskMode.READONLY,
            shares=shares,
            base=files.boot_args,
            extra=options.boot_args,
        ),
        machine=default_machine(files.arch),
        accelerator=Accelerator.TCG,
        cpus=options.cpus,
        memory_mib=options.memory_mib,
        drives=(
            Drive(
                path=files.rootfs.absolute(),
                format=DiskFormat.of(files.rootfs),
                mode=mode,
                size_bytes=options.rootfs_size_bytes,
                checkpoint=checkpoint,
            ),
        ),
        network=network,
        shares=shares,
    )


def _disk_mode(files: BootFiles, options: VMOptions) -> DiskMode:
    mode = options.rootfs_mode or files.rootfs_mode or _DEFAULT_MODE
    try:
        return DiskMode(mode)
    except ValueError:
        raise VMError(
            f"the image asks for the root mode {mode!r}, which is not known",
            hint="choose readonly, memory or cow",
        ) from None


def _require_no_changes(mode: DiskMode, options: VMOptions, checkpoint: Path | None) -> None:
    """Only a disk in mode ``cow`` grows, or begins with a checkpoint."""
    wanted = {
        "rootfs_size_bytes": options.rootfs_size_bytes is not None,
        "checkpoint": checkpoint is not None,
    }
    problems = tuple(
        Problem(pointer=name, message=f"goes with the root mode cow, found {mode.value}")
        for name, is_wanted in wanted.items()
        if is_wanted
    )
    if problems:
        raise ConfigError(
            f"a root file system in mode {mode.value} begins as its image and keeps its size",
            problems=problems,
            hint="choose rootfs_mode='cow' (--rootfs-mode cow)",
        )

"""``VM``: an image, running."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeAlias

from bootsmith.errors import VMError
from bootsmith.model.reporter import Reporter, Silent
from bootsmith.sdk.image import Image
from bootsmith.sdk.settings import cache_folder
from bootsmith.vm.boot_args import kernel_command_line
from bootsmith.vm.machine import (
    Accelerator,
    DiskFormat,
    DiskMode,
    Drive,
    MachineSpec,
    Network,
    default_machine,
)
from bootsmith.vm.runner import StartOptions, start_machine
from bootsmith.vm.running import RunningMachine

RootfsMode: TypeAlias = Literal["readonly", "memory", "cow"]
Acceleration: TypeAlias = Literal["auto", "kvm", "hvf", "tcg"]
Sink: TypeAlias = Callable[[bytes], object]

_DEFAULT_MODE: RootfsMode = "cow"


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

    ``rootfs_mode`` ``None`` is the image's own default, else ``cow``: the image itself is never
    written to.  ``boot_timeout_s`` ``None`` depends on the acceleration.  ``boot_args`` come
    after ours on the kernel's command line.
    """

    cpus: int = 2
    memory_mib: int = 1024
    network: bool = True
    acceleration: Acceleration = "auto"
    rootfs_mode: RootfsMode | None = None
    boot_args: tuple[str, ...] = ()
    boot_timeout_s: float | None = None
    console_log: Path | None = None


class VM:
    """A virtual machine with an image in it; use it as a context manager.

    ::

        with VM(Image.open("./bootsmith-image")) as vm:
            print(vm.exec("uname -a").stdout)

    Usable from many threads.  Several machines may run the same image at once.
    """

    def __init__(
        self,
        image: Image | str | Path,
        *,
        options: VMOptions | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self.image = image if isinstance(image, Image) else Image.open(image)
        self.options = options or VMOptions()
        self._reporter = reporter or Silent()
        self._machine: RunningMachine | None = None
        self._lock = threading.Lock()

    def start(self) -> Self:
        """Boot, and wait until commands can be run.  A second call does nothing.

        Raises ``ToolMissing`` without QEMU, ``BootTimeout`` and ``VMError`` with the end of
        the console when the guest does not come up.
        """
        with self._lock:
            if self._machine is None:
                self._machine = start_machine(
                    machine_spec(self.image, self.options),
                    StartOptions(
                        accelerator=_accelerator(self.options.acceleration),
                        boot_timeout_s=self.options.boot_timeout_s,
                        console_log=self.options.console_log,
                        state_folder=cache_folder() / "state",
                        reporter=self._reporter,
                    ),
                )
        return self

    def exec(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: bytes | Iterable[bytes] | None = None,
        on_stdout: Sink | None = None,
        on_stderr: Sink | None = None,
        timeout_s: float | None = None,
    ) -> CommandResult:
        """Run a command: a text by ``/bin/sh -lc``, a sequence as its arguments.

        With ``on_stdout`` and ``on_stderr`` output is handed over as it comes and is not
        collected.  Raises ``AgentError`` when the guest refuses, ``VMError`` when the machine
        does not run or the command has not ended after ``timeout_s``.
        """
        agent = self._running().agent
        assert agent is not None
        result = agent.exec(
            command,
            env=env,
            cwd=cwd,
            stdin=stdin,
            on_stdout=on_stdout,
            on_stderr=on_stderr,
            timeout_s=timeout_s,
        )
        return CommandResult(
            exit_code=result.exit_code,
            stdout_bytes=result.stdout,
            stderr_bytes=result.stderr,
            signal=result.signal,
        )

    def stop(self) -> None:
        """Let the guest write everything to its disks and power off.  May be called twice."""
        with self._lock:
            machine, self._machine = self._machine, None
        if machine is not None:
            machine.stop()

    close = stop

    def kill(self) -> None:
        """Pull the plug.  What the guest has not written yet is lost.  May be called twice."""
        with self._lock:
            machine, self._machine = self._machine, None
        if machine is not None:
            machine.kill()

    @property
    def console(self) -> str:
        """The end of what the guest has printed on its console."""
        return self._running().console.tail()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Power off in order; after Ctrl-C, at once."""
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.kill()
        else:
            self.stop()

    def _running(self) -> RunningMachine:
        machine = self._machine
        if machine is None:
            raise VMError("the machine does not run", hint="call start(), or use `with VM(…)`")
        return machine


def machine_spec(image: Image, options: VMOptions) -> MachineSpec:
    """The machine for ``image``; its accelerator is decided when it is started."""
    mode = options.rootfs_mode or image.manifest.rootfs_mode or _DEFAULT_MODE
    network = Network.USER if options.network else Network.NONE
    try:
        disk_mode = DiskMode(mode)
    except ValueError:
        raise VMError(
            f"the image asks for the root mode {mode!r}, which is not known",
            hint="choose readonly, memory or cow",
        ) from None
    return MachineSpec(
        arch=image.arch,
        kernel=image.kernel_path,
        initramfs=image.initramfs_path,
        cmdline=kernel_command_line(
            image.arch,
            network=network,
            writable_root=disk_mode is not DiskMode.READONLY,
            extra=options.boot_args,
        ),
        machine=default_machine(image.arch),
        accelerator=Accelerator.TCG,
        cpus=options.cpus,
        memory_mib=options.memory_mib,
        drives=(
            Drive(
                path=image.rootfs_path.absolute(),
                format=DiskFormat.of(image.rootfs_path),
                mode=disk_mode,
            ),
        ),
        network=network,
    )


def _accelerator(name: Acceleration) -> Accelerator | None:
    return None if name == "auto" else Accelerator(name)

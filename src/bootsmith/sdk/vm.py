"""``VM``: an image, running."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bootsmith.errors import ConfigError, ImageError, VMError
from bootsmith.host.files import require_writable, user_path
from bootsmith.model.reporter import PythonWarnings, Reporter, Silent
from bootsmith.sdk.boot_files import BootFiles, files_by_name, files_of_image, selected_files
from bootsmith.sdk.guest import Guest
from bootsmith.sdk.image import Image
from bootsmith.sdk.option_checks import require_ports
from bootsmith.sdk.settings import state_folder
from bootsmith.sdk.vm_options import VMOptions, machine_spec
from bootsmith.vm.agent import Agent
from bootsmith.vm.machine import DiskMode, MachineSpec
from bootsmith.vm.runner import StartOptions, start_machine
from bootsmith.vm.running import RunningMachine

if TYPE_CHECKING:
    from bootsmith.config.build_config import BuildConfig
    from bootsmith.sdk.attached_vm import AttachedVM
    from bootsmith.vm.forwards import Forward
    from bootsmith.vm.kept.machine import KeptMachine


class VM(Guest):
    """A virtual machine with an image in it; use it as a context manager.

    ::

        with VM("./bootsmith-image") as vm:
            print(vm.exec("uname -a").stdout)

    Usable from many threads.  Several machines may run the same image at once.
    """

    def __init__(
        self,
        image: Image | BootFiles | BuildConfig | Mapping[str, Any] | str | Path | None = None,
        *,
        kernel_path: str | Path | None = None,
        rootfs_path: str | Path | None = None,
        initrd_path: str | Path | None = None,
        boot_args: str | None = None,
        options: VMOptions | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        """``image`` is an ``Image``, its folder, its build id or its name; a config, which is
        built first; or nothing for the default image.

        Instead, ``kernel_path``, ``rootfs_path`` and perhaps ``initrd_path`` name the files, and
        ``boot_args`` the whole command line of their kernel.

        Raises ``ImageError`` when there is no such image or it cannot be built, ``HostError``
        when a file cannot be read, ``ConfigError`` for ``options`` that are none.
        """
        self.options = _sound(options)
        self._reporter = reporter or Silent()
        self._checkpoint: Path | None = None
        self._machine: RunningMachine | None = None
        self._lock = threading.Lock()
        if kernel_path is None and rootfs_path is None:
            if initrd_path is not None or boot_args is not None:
                raise ImageError("initrd_path and boot_args go with kernel_path and rootfs_path")
            self.files = _files_of(image, reporter or PythonWarnings())
        elif image is not None or kernel_path is None or rootfs_path is None:
            raise ImageError("name either an image or both kernel_path and rootfs_path")
        elif boot_args is not None and not isinstance(boot_args, str):
            raise ConfigError(
                f"boot_args is the kernel's whole command line as one text, found {boot_args!r}",
                hint="to add words to ours: options=VMOptions(boot_args=(…,))",
            )
        else:
            self.files = files_by_name(
                kernel=kernel_path, rootfs=rootfs_path, initrd=initrd_path, boot_args=boot_args
            )

    @classmethod
    def create(
        cls,
        *,
        image_path: str | Path | None = None,
        options: VMOptions | None = None,
        reporter: Reporter | None = None,
    ) -> Self:
        """A machine that runs already; ``close`` it.  Raises as ``VM`` and ``start`` do."""
        return cls(image_path, options=options, reporter=reporter).start()

    @classmethod
    def resume(
        cls,
        checkpoint: str | Path,
        image: Image | str | Path | None = None,
        *,
        options: VMOptions | None = None,
        reporter: Reporter | None = None,
    ) -> Self:
        """A machine whose disk is as it was at ``checkpoint``, which stays as it is.

        Its image is found by the build id: ``image`` if that is named, else wherever images
        lie.  Raises ``VMError`` for a file that is no checkpoint, ``ImageError`` when the image
        is not found or ``image`` is another one.
        """
        from bootsmith.sdk.checkpoints import files_with_build_id
        from bootsmith.vm.checkpoint import build_id_of

        path = user_path(checkpoint)
        build_id = build_id_of(path)
        if image is None:
            files = files_with_build_id(build_id, near=path.parent)
        else:
            files = _files_of(image, Silent())
            if files.build_id() != build_id:
                raise ImageError(
                    f"{checkpoint} belongs to the image {build_id}, not to {files.build_id()}",
                    hint="name the folder of that image, or none to have it searched for",
                )
        vm = cls(files, options=options, reporter=reporter)
        vm._checkpoint = path
        return vm

    def start(self) -> Self:
        """Boot, and wait until commands can be run.  A second call does nothing.

        Raises ``ToolMissing`` without QEMU, ``ImageError`` for files that are cut short,
        ``BootTimeout`` and ``VMError`` with the end of the console when the guest does not
        come up.
        """
        with self._lock:
            if self._machine is None:
                self.files.check_sizes()
                self._machine = _started(self.files, self.options, self._checkpoint, self._reporter)
        return self

    def detach(self, *, name: str | None = None, image_name: str | None = None) -> AttachedVM:
        """Boot a machine that runs on when this program has ended, and wait until it is ready.

        ``VM.attach`` finds it again by its id or ``name``.  It is noted under ``image_name``,
        by default the folder of its root file system.  Raises ``VMError`` for a name that is
        taken, and what ``start`` raises.
        """
        from bootsmith.sdk.attached_vm import AttachedVM
        from bootsmith.sdk.machines import machines, now_s

        self.files.check_sizes()
        spec = machine_spec(self.files, self.options, checkpoint=self._checkpoint)
        record = machines().start(
            spec,
            _start_options(self.options, self._reporter),
            image=image_name or str(self.files.rootfs.absolute().parent),
            name=name,
            now_s=now_s(),
            build_id=self._build_id_for(spec),
        )
        attached = AttachedVM(machines(), record)
        _grow(self.options, attached.machine)
        return attached

    @staticmethod
    def attach(word: str) -> AttachedVM:
        """The machine that was started with ``detach`` (``bootsmith run --detach``) and whose
        name, id or beginning of its id is ``word``.

        Raises ``VMError`` when there is none, or it does not run.
        """
        from bootsmith.sdk.attached_vm import AttachedVM
        from bootsmith.sdk.machines import machines, now_s

        return AttachedVM(machines(), machines().find(word, now_s=now_s()))

    def forward(self, guest_port: int, *, host_port: int = 0) -> Forward:
        require_ports(guest_port, host_port)
        return self._running().forward(guest_port, host_port=host_port)

    def checkpoint(self, path: str | Path) -> None:
        """Stop, and keep what has changed on the disk in the file ``path``; see ``resume``.

        Appears whole or not at all, and replaces what was there.  Raises ``VMError`` when the
        machine does not run or its disk keeps no changes, ``HostError`` when the file cannot be
        written: when that is seen before the machine is stopped, it runs on.
        """
        build_id = self.files.build_id()
        drive = machine_spec(self.files, self.options).drives[0]
        with self._lock:
            machine = self._running()
            try:
                machine.checkpoint(user_path(path), image=drive, build_id=build_id)
            finally:
                if machine.has_ended:
                    self._machine = None

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Let the guest write everything to its disks and power off.  May be called twice.

        The plug is pulled when it has not done so after ``timeout_s``.
        """
        with self._lock:
            machine, self._machine = self._machine, None
        if machine is not None:
            machine.stop(timeout_s=timeout_s)

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

    def __repr__(self) -> str:
        state = "not running" if self._machine is None else "running"
        return f"<VM of {str(self.files.rootfs.parent)!r}, {state}>"

    def _build_id_for(self, spec: MachineSpec) -> str | None:
        """What a checkpoint of ``spec`` is of, found out while its files are those that it boots;
        ``None`` where there can be none."""
        keeps_changes = spec.drives[0].mode is DiskMode.COW
        return self.files.build_id() if keeps_changes and spec.initramfs is not None else None

    def _running(self) -> RunningMachine:
        machine = self._machine
        if machine is None:
            raise VMError("the machine does not run", hint="call start(), or use `with VM(…)`")
        return machine

    def _agent(self) -> Agent:
        agent = self._running().agent
        assert agent is not None
        return agent


def _sound(options: object) -> VMOptions:
    if options is None:
        return VMOptions()
    if not isinstance(options, VMOptions):
        raise ConfigError(
            f"options of a machine must be VMOptions(…), found {options!r}",
            hint="as in VM(image, options=VMOptions(memory_mib=512))",
        )
    return options


def _files_of(
    image: Image | BootFiles | BuildConfig | Mapping[str, Any] | str | Path | None,
    reporter: Reporter,
) -> BootFiles:
    match image:
        case BootFiles():
            return image
        case Image():
            return files_of_image(image)
        case None | str() | Path():
            return selected_files(image)
        case _:
            from bootsmith.sdk.built import built_image  # a build takes libraries a boot does not

            return files_of_image(built_image(image, reporter))


def _started(
    files: BootFiles, options: VMOptions, checkpoint: Path | None, reporter: Reporter
) -> RunningMachine:
    spec = machine_spec(files, options, checkpoint=checkpoint)
    machine = start_machine(spec, _start_options(options, reporter))
    _grow(options, machine)
    return machine


def _start_options(options: VMOptions, reporter: Reporter) -> StartOptions:
    console_log = None if options.console_log is None else user_path(options.console_log)
    if console_log is not None:
        require_writable(console_log)
    return StartOptions(
        accelerator=options.accelerator,
        boot_timeout_s=options.boot_timeout_s,
        console_log=console_log,
        state_folder=state_folder(),
        reporter=reporter,
    )


def _grow(options: VMOptions, machine: RunningMachine | KeptMachine) -> None:
    if options.rootfs_size_bytes is None:
        return
    from bootsmith.vm.growth import grow_root

    try:
        assert machine.agent is not None
        grow_root(machine.agent)
    except BaseException:
        machine.kill()
        raise

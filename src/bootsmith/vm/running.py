"""A machine that runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bootsmith.errors import AgentError, VMError
from bootsmith.host.channel import Channel
from bootsmith.host.child import Child
from bootsmith.host.clock import Deadline
from bootsmith.host.temporary import RuntimeFolder
from bootsmith.vm import qmp
from bootsmith.vm.acceleration import Decision
from bootsmith.vm.agent import Agent
from bootsmith.vm.console import Console
from bootsmith.vm.line import Line
from bootsmith.vm.machine import AGENT_PORT, FILES_PORT, INGRESS_PORT, DiskMode, Drive, MachineSpec
from bootsmith.vm.power_off import power_off

# What most machines do without is imported when it is first used: starting is to be quick.
if TYPE_CHECKING:
    from bootsmith.vm.forwards import Forward
    from bootsmith.vm.shares.server import ShareServer
    from bootsmith.vm.shares.tree import ShareTree


class RunningMachine:
    """QEMU with a guest in it.  ``agent`` is ``None`` when it has no port for one.

    Usable from many threads; ``stop`` or ``kill`` it, or use it as a context manager.
    """

    def __init__(
        self,
        *,
        spec: MachineSpec,
        decision: Decision,
        child: Child,
        folder: RuntimeFolder,
        channels: Mapping[str, Channel],
        on_console: Callable[[bytes], object] | None,
        shares: ShareTree | None,
    ) -> None:
        self.spec = spec
        self.decision = decision
        self._child = child
        self._folder = folder
        self._channels = channels
        self._changed = threading.Event()
        self._ending = threading.Lock()
        self._has_ended = False
        self._shares = _serve(channels[FILES_PORT], shares) if shares is not None else None
        self._ingress: Line | None = None
        self._forwards: list[Forward] = []
        self.console = Console(
            channels["console"], on_change=self._changed.set, on_output=on_console
        )
        self.agent = (
            Agent(channels[AGENT_PORT], on_change=self._changed.set)
            if AGENT_PORT in channels
            else None
        )

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        """Whether it was stopped, killed or kept in a checkpoint."""
        return self._has_ended

    def status(self) -> int | None:
        """QEMU's exit status, ``None`` while it runs."""
        return self._child.status()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait until the machine ends by itself; ``None`` when it still runs."""
        return self._child.wait(timeout_s)

    def wait_for_change(self, timeout_s: float) -> None:
        """Wait until console or agent have something new, or so long."""
        self._changed.wait(timeout_s)
        self._changed.clear()

    def has_started(self) -> bool:
        """Whether QEMU has taken its command line and runs the machine."""
        return self._channels["qmp"].has_data()

    def failure(self) -> VMError | None:
        """Why the guest will never be ready: it has panicked, or QEMU or the agent has ended."""
        if self.console.panic is not None:
            complaint = self.console.complaint()
            why = (
                f"init gave up: {complaint}"
                if complaint
                else f"kernel gave up: {self.console.panic}"
            )
            return VMError(
                f"the guest's {why}{self.last_words()}",
                hint="if the image may be damaged: bootsmith verify",
            )
        ended = self.agent.line.failure if self.agent else None
        # Streams end a moment before the process can be waited for.
        is_ending = self.console.has_ended or ended is not None
        status = self._child.wait(1.0) if is_ending else self.status()
        if status is not None:
            said = self._child.output_tail()
            return VMError(
                f"QEMU ended with status {status} before the guest was ready"
                + (f": {said}" if said else "")
                + self.last_words(),
                hint=None if said or self.console.has_output else self._about_silence(),
            )
        if ended is not None:
            return AgentError(f"{ended}{self.last_words()}", code=ended.code)
        return None

    def _about_silence(self) -> str:
        return (
            "the kernel ended before its first word: its file may be damaged (bootsmith verify), "
            f"or {self.spec.memory_mib} MiB of memory are too little for it"
        )

    def last_words(self) -> str:
        """The end of the console as a part of an error's text."""
        tail = self.console.tail()
        return f"\nThe end of its console:\n{tail}" if tail else "\nIts console is empty."

    def forward(self, guest_port: int, *, host_port: int = 0) -> Forward:
        """Lead a port of this machine's loopback to ``guest_port`` until the machine ends.

        Raises ``HostError`` when ``host_port`` is taken, ``VMError`` for a machine without the
        guest's port for it.
        """
        with self._ending:
            if self._has_ended or INGRESS_PORT not in self._channels:
                raise VMError(
                    "ports of this machine cannot be forwarded",
                    hint=f"start it with {INGRESS_PORT} among its ports",
                )
            from bootsmith.vm.forwards import Forward

            if self._ingress is None:
                self._ingress = Line(self._channels[INGRESS_PORT])
            made = Forward(self._ingress, guest_port=guest_port, host_port=host_port)
            self._forwards.append(made)
            return made

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Let the guest write everything to its disks and power off; pull the plug if it does not.

        Takes about ``timeout_s`` at most.  A second call does nothing.
        """
        with self._ending:
            if not self._has_ended:
                try:
                    self._wind_down(timeout_s)
                finally:
                    self._end()

    def checkpoint(
        self, target: Path, *, image: Drive, build_id: str, timeout_s: float = 10.0
    ) -> None:
        """Stop, and keep what the guest has changed on its first disk in ``target``.

        ``image`` is that disk as it was specified.  Raises ``VMError`` when the machine has
        already ended, its disk keeps no changes, or not all of them could be written while it ran;
        ``HostError`` when they cannot be written now.  What can be known before the machine is
        stopped is found out before, and it runs on.
        """
        with self._ending:
            if self._has_ended:
                raise VMError(
                    "the machine has ended, and its changes with it",
                    hint="make a checkpoint of a machine that runs",
                )
            if image.mode is not DiskMode.COW:
                raise VMError(
                    f"a disk in mode {image.mode.value} has no changes to keep",
                    hint="start the machine in the root mode cow",
                )
            from bootsmith.vm.checkpoint import place_for

            overlay = self.spec.drives[0].path
            with place_for(target, overlay=overlay, image=image.path) as place:
                try:
                    self._keep_changes(place, target, image, build_id, timeout_s)
                finally:
                    self._end()

    def _keep_changes(
        self, place: RuntimeFolder, target: Path, image: Drive, build_id: str, timeout_s: float
    ) -> None:
        from bootsmith.vm import disk_errors
        from bootsmith.vm.checkpoint import save_changes

        disk_errors.ask(self._channels["qmp"])
        self._wind_down(timeout_s)
        self._child.terminate()
        disk_errors.require_none(self._channels["qmp"])
        save_changes(
            self.spec.drives[0].path,
            target,
            place=place,
            image=image.path,
            image_format=image.format,
            build_id=build_id,
        )

    def kill(self) -> None:
        """Pull the plug.  A second call does nothing."""
        with self._ending:
            if not self._has_ended:
                self._child.kill()
                self._end()

    def _wind_down(self, timeout_s: float) -> None:
        deadline = Deadline.after(timeout_s)
        if self.status() is None:
            self._ask_to_power_off(deadline)
            self._child.wait(deadline.remaining_s())

    def _ask_to_power_off(self, deadline: Deadline) -> None:
        try:
            if self.agent is not None and self.agent.line.is_ready:
                power_off(self.agent, timeout_s=deadline.remaining_s() or 0)
            else:
                qmp.execute(self._channels["qmp"], "system_powerdown")
        except VMError:
            # A guest that cannot be asked any more is about to end, or made to.
            return

    def _end(self) -> None:
        self._has_ended = True
        self._child.terminate()
        for forward in self._forwards:
            forward.close()
        if self._ingress is not None:
            self._ingress.close()
        if self._shares is not None:
            self._shares.close()
        if self.agent is not None:
            self.agent.close()
        self.console.close()
        for channel in self._channels.values():
            channel.close()
        self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Whoever presses Ctrl-C does not want to wait for a guest's farewell.
        if kind is KeyboardInterrupt:
            self.kill()
        else:
            self.stop()


def _serve(channel: Channel, shares: ShareTree) -> ShareServer:
    from bootsmith.vm.shares.server import ShareServer

    return ShareServer(channel, shares)

"""The process that owns one machine and lets others use it (docs/decisions/0009).

It is started by ``vm.kept.machines``, says there when the machine runs or why it does not, and
from then on depends on nobody: it ends with its machine, and its machine with it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

from bootsmith.errors import BootsmithError, HostError, VMError
from bootsmith.host.background import own_pid
from bootsmith.host.channel import Channel
from bootsmith.host.clock import now_s
from bootsmith.host.listener import PathListener
from bootsmith.host.owned_folder import OwnedFolder
from bootsmith.host.paths import remove_file
from bootsmith.host.rolling_log import RollingLog
from bootsmith.host.signals import Terminated, outlive_the_terminal
from bootsmith.vm.kept.failure import failure_payload
from bootsmith.vm.kept.machine import (
    CHECKPOINT_DONE,
    CHECKPOINT_FAILED,
    CHECKPOINT_REQUEST,
    STOP_REQUEST,
)
from bootsmith.vm.kept.order import Answers, Order, messages_from, receive_order
from bootsmith.vm.kept.places import LOG_NAME, SOCKET_NAME
from bootsmith.vm.kept.record import Record, State, write_record
from bootsmith.vm.kept.relay import Conversation, Relay
from bootsmith.vm.kept.services import forward_service, log_service
from bootsmith.vm.runner import start_machine
from bootsmith.vm.running import RunningMachine

_STOP_TIMEOUT_S = 10.0


def main() -> None:
    """Keep the machine that the process at the other end of the channel orders."""
    outlive_the_terminal()
    path, lock, control = sys.argv[1:]
    folder = OwnedFolder.adopt(Path(path), int(lock))
    starter = Channel.adopt(int(control))
    answers = Answers(starter)
    try:
        keeper = Keeper(folder, receive_order(messages_from(starter)), answers)
        # Whoever wants the machine may end before it runs; nothing more comes from there.
        threading.Thread(
            target=keeper.await_end_of, args=(starter,), name="bootsmith-starter", daemon=True
        ).start()
        keeper.start()
    except (BootsmithError, Terminated) as error:
        folder.remove()
        if isinstance(error, BootsmithError):
            with contextlib.suppress(HostError):  # nobody wants to know any more
                answers.failed(error)
        return
    starter.hang_up()
    keeper.keep()


class Keeper:
    """A machine, its log, and the clients it has."""

    def __init__(self, folder: OwnedFolder, order: Order, answers: Answers) -> None:
        self._folder = folder
        self._order = order
        self._answers = answers
        self._log = RollingLog(folder.path / LOG_NAME)
        self._stop_within_s: float | None = None
        self._wanted = threading.Event()
        self._is_wanted = True
        # Held while a checkpoint is made, which ends the machine, until that has been answered.
        self._keeping_changes = threading.Lock()
        self._why_not_kept: str | None = None
        self._record: Record
        self._machine: RunningMachine
        self._relay: Relay
        self._listener: PathListener

    def start(self) -> None:
        """Boot, be reachable, and say so.  Raises what the machine fails with."""
        options = self._order.options(
            reporter=self._answers,
            on_console=self._log.append,
            is_wanted=lambda: self._is_wanted,
        )
        self._machine = start_machine(self._order.spec, options)
        try:
            self._open()
            self._answers.ready()
        except BaseException:
            self._machine.kill()
            raise

    def await_end_of(self, starter: Channel) -> None:
        """Give the start up when the process that wants the machine ends."""
        while starter.receive():
            pass
        self._is_wanted = False

    def keep(self) -> None:
        """Serve until the machine ends or is to end, and leave nothing behind but why it did."""
        try:
            self._wanted.wait()
        except Terminated:
            self._stop_within_s = _STOP_TIMEOUT_S
        self._listener.stop()
        ending = self._end_machine()
        self._log.close()
        if ending is None:
            self._folder.remove()
        else:
            remove_file(self._folder.path / SOCKET_NAME)
            ended = replace(self._record, state=State.ENDED, ended_s=now_s(), ending=ending)
            write_record(self._folder.path, ended)
        self._relay.close()

    def _open(self) -> None:
        machine = self._machine
        assert machine.agent is not None
        self._relay = Relay(
            machine.agent.line,
            {
                STOP_REQUEST: self._take_stop,
                CHECKPOINT_REQUEST: self._take_checkpoint,
                **log_service(self._log),
                **forward_service(machine),
            },
        )
        self._listener = PathListener(self._folder.path / SOCKET_NAME)
        self._record = replace(
            self._order.record,
            state=State.RUNNING,
            keeper_pid=own_pid(),
            qemu_pid=machine.pid,
            accelerator=str(machine.spec.accelerator),
            cpus=machine.spec.cpus or machine.spec.accelerator.default_cpus,
        )
        write_record(self._folder.path, self._record)
        for name, work in (("clients", self._take_clients), ("machine", self._await_machine)):
            threading.Thread(target=work, name=f"bootsmith-{name}", daemon=True).start()

    def _take_clients(self) -> None:
        while (client := self._listener.accept()) is not None:
            self._relay.serve(client)

    def _take_stop(self, conversation: Conversation) -> None:
        timeout_ms = conversation.request.number("timeout_ms")
        self._stop_within_s = timeout_ms / 1000
        self._wanted.set()

    def _take_checkpoint(self, conversation: Conversation) -> None:
        target = Path(os.fsdecode(conversation.request.data("path")))
        with self._keeping_changes:
            had_ended = self._machine.has_ended  # for somebody who asked before
            try:
                self._keep_changes(target)
            except BootsmithError as error:
                if self._machine.has_ended and not had_ended:
                    self._why_not_kept = f"no checkpoint could be made of it: {error}"
                conversation.conclude(CHECKPOINT_FAILED, failure_payload(error))
            else:
                conversation.conclude(CHECKPOINT_DONE, {})

    def _keep_changes(self, target: Path) -> None:
        build_id = self._order.build_id
        if build_id is None:
            raise VMError(
                "no checkpoint can be made of this machine",
                hint="start one of an image with an initramfs, in the root mode cow",
            )
        drive = self._order.spec.drives[0]
        self._machine.checkpoint(target, image=drive, build_id=build_id)

    def _await_machine(self) -> None:
        self._machine.wait()
        self._wanted.set()

    def _end_machine(self) -> str | None:
        """Why the machine has ended, if nobody here wanted it to."""
        with self._keeping_changes:
            if self._machine.has_ended:
                return self._why_not_kept
        within_s = self._stop_within_s
        if within_s is None:
            self._machine.kill()  # which also reads the rest of the console
            return self._why_ended()
        if within_s > 0:
            self._machine.stop(timeout_s=within_s)
        else:
            self._machine.kill()
        return None

    def _why_ended(self) -> str:
        if self._machine.console.panic is not None:
            return f"the guest's kernel gave up: {self._machine.console.panic}"
        status = self._machine.status()
        return "the guest powered off" if status == 0 else f"QEMU ended with status {status}"


if __name__ == "__main__":
    main()

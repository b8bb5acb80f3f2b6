"""The machines of a user that run on by themselves: started, found again, cleaned up after.

Each has a folder named by its id, owned by its keeper for as long as that lives.  A folder whose
owner is gone is stale: the keeper was killed, or the host was switched off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from bootsmith.errors import HostError, VMError
from bootsmith.host.background import kill_process, start_in_background
from bootsmith.host.channel import Channel
from bootsmith.host.files import read_whole
from bootsmith.host.listener import connect
from bootsmith.host.locks import locked
from bootsmith.host.owned_folder import OwnedFolder, folders_in, fresh_name, private_folder
from bootsmith.host.paths import remove_file
from bootsmith.host.rolling_log import log_content
from bootsmith.model.reporter import Reporter
from bootsmith.vm.kept.machine import KeptMachine
from bootsmith.vm.kept.order import Order, await_ready, messages_from, send_order
from bootsmith.vm.kept.places import KEEPER_LOG_NAME, LOG_NAME, SOCKET_NAME
from bootsmith.vm.kept.record import Record, State, read_record, write_record
from bootsmith.vm.machine import MachineSpec
from bootsmith.vm.runner import StartOptions

KEPT_AFTER_END_S = 24 * 3600
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_KILLED = "its keeper was killed, or this computer was restarted"
_TAIL_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Machines:
    """The machines noted in ``folder``."""

    folder: Path

    def start(
        self,
        spec: MachineSpec,
        options: StartOptions,
        *,
        image: str,
        name: str | None,
        now_s: int,
        build_id: str | None = None,
    ) -> Record:
        """Start a machine that runs on when this process has ended, and wait until it is ready.

        ``image`` is what it is noted under; ``build_id``, that of its image, is wanted for
        checkpoints.  Raises ``VMError`` for a name that is taken or no
        name, and all that ``start_machine`` raises; nothing is left of the machine then.
        """
        folder = self._claim(spec, image=image, name=name, now_s=now_s)
        try:
            record = read_record(folder.path)
            assert record is not None
            order = Order.of(record, spec, options, build_id=build_id)
            self._start_keeper(folder, order, options.reporter)
        except BaseException:
            folder.remove()
            raise
        finally:
            folder.release()
        return self.find(record.id, now_s=now_s)

    def all(self, *, now_s: int) -> list[Record]:
        """All machines, those that have ended too, in the order they were started.

        What is stale is recognised and cleaned up on the way.
        """
        with self._lock():
            records = [record for path in self._paths() if (record := _settle(path, now_s))]
        return sorted(records, key=lambda record: (record.started_s, record.id))

    def find(self, word: str, *, now_s: int) -> Record:
        """The machine whose name, id or beginning of its id is ``word``.

        A name means the machine that runs before one that has ended.  Raises ``VMError`` when
        there is none or more than one.
        """
        records = self.all(now_s=now_s) if word else []
        named = [one for one in records if one.name == word]
        running = [one for one in named if one.state is not State.ENDED]
        begun = [one for one in records if one.id.startswith(word)]
        found = running or named[-1:] or begun
        if not found:
            raise VMError(f"there is no machine {word!r}", hint="see: bootsmith list")
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            raise VMError(f"{word!r} may mean {ids}", hint="write more of the id")
        return found[0]

    def connect(self, record: Record) -> KeptMachine:
        """The way to a machine that runs.  Raises ``VMError`` when there is none."""
        if record.state is not State.RUNNING:
            why = f": {record.ending}" if record.ending else ""
            verb = "has ended" if record.state is State.ENDED else "is still starting"
            raise VMError(
                f"the machine {record.label} {verb}{why}",
                hint=f"see: bootsmith logs {record.label}",
            )
        try:
            channel = connect(self.folder / record.id / SOCKET_NAME)
        except HostError as error:
            raise VMError(
                f"the machine {record.label} cannot be reached: {error}",
                hint="it may just be ending; see: bootsmith list",
            ) from error
        try:
            return KeptMachine(channel)
        except VMError as error:
            raise VMError(
                f"the machine {record.label} cannot be reached: {error}",
                hint=f"its keeper has the process id {record.keeper_pid}; "
                f"to end both: bootsmith stop --kill {record.label}",
            ) from error

    def kill(self, record: Record) -> None:
        """Pull the plug of a machine, whose keeper is killed when it does not answer."""
        try:
            with self.connect(record) as machine:
                machine.kill()
        except VMError:
            if record.keeper_pid is None:
                raise
            # Its guardian ends QEMU.
            place = self.folder / record.id
            kill_process(record.keeper_pid, working_on=place)
            folder = OwnedFolder.take_over(place)
            if folder is not None:
                with folder:
                    folder.remove()

    def log(self, record: Record) -> Iterator[bytes]:
        """What a machine that has ended had printed on its console."""
        return log_content(self.folder / record.id / LOG_NAME)

    def forget(self, record: Record) -> None:
        """Remove all that is noted about a machine that has ended."""
        with self._lock():
            folder = OwnedFolder.seize(self.folder / record.id)
            if folder is not None:
                with folder:
                    folder.remove()

    def _claim(self, spec: MachineSpec, *, image: str, name: str | None, now_s: int) -> OwnedFolder:
        if name is not None and not _NAME.fullmatch(name):
            raise VMError(
                f"{name!r} is no name for a machine",
                hint="letters, digits and _ . - are allowed, 63 at most, none of the signs first",
            )
        with self._lock():
            taken = [record for path in self._paths() if (record := _settle(path, now_s))]
            for other in taken:
                if name is not None and other.name == name and other.state is not State.ENDED:
                    raise VMError(
                        f"a machine with the name {name} is {other.state} already",
                        hint=f"choose another name, or: bootsmith stop {name}",
                    )
            folder = OwnedFolder.create(self.folder / fresh_name())
            record = Record(
                id=folder.path.name,
                name=name,
                image=image,
                arch=str(spec.arch),
                memory_mib=spec.memory_mib,
                started_s=now_s,
            )
            write_record(folder.path, record)
            return folder

    def _start_keeper(self, folder: OwnedFolder, order: Order, reporter: Reporter) -> None:
        ours, theirs = Channel.pair()
        log = folder.path / KEEPER_LOG_NAME
        try:
            try:
                start_in_background(
                    "bootsmith.vm.kept.keeper",
                    (str(folder.path), str(folder.fileno()), str(theirs.fileno())),
                    output=log,
                    descriptors=(folder.fileno(), theirs.fileno()),
                )
            finally:
                theirs.close()
            send_order(ours, order)
            is_ready = await_ready(
                messages_from(ours), warning=reporter.warning, detail=reporter.detail
            )
            if not is_ready:
                said = read_whole(log).decode("utf-8", "replace")[-_TAIL_CHARACTERS:]
                raise VMError(f"the keeper of the machine has ended before it was ready\n{said}")
        finally:
            ours.close()

    def _paths(self) -> list[Path]:
        return folders_in(self.folder)

    def _lock(self) -> AbstractContextManager[None]:
        return locked(private_folder(self.folder) / ".lock")


def _settle(path: Path, now_s: int) -> Record | None:
    """What is noted of the machine in ``path``, brought up to date if it is stale.

    To be called with the lock of all machines: for a moment the folder seems to be owned.
    """
    folder = OwnedFolder.seize(path)
    if folder is None:
        return read_record(path)
    with folder:
        record = read_record(path)
        if record is not None and record.state is State.RUNNING:
            remove_file(path / SOCKET_NAME)
            record = replace(record, state=State.ENDED, ended_s=now_s, ending=_KILLED)
            write_record(path, record)
        is_old = record is not None and now_s - (record.ended_s or now_s) > KEPT_AFTER_END_S
        if record is None or record.state is State.STARTING or is_old:
            folder.remove()
            return None
    return record

"""What is noted about a machine that runs on by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum
from pathlib import Path

from bootsmith.errors import HostError
from bootsmith.host.files import read_whole
from bootsmith.host.publish import publish_file

_NAME = "record.json"
_MOST_BYTES = 1 << 20


class State(Enum):
    """How far a machine has come.  One that has ended is noted until it is forgotten."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """``image`` is what the user called it.  Times are seconds since 1970.

    ``keeper_pid``, ``qemu_pid``, ``accelerator`` and ``cpus`` are known once it runs;
    ``ending`` says why it has ended when nobody asked for that.
    """

    id: str
    name: str | None
    image: str
    arch: str
    memory_mib: int
    started_s: int
    state: State = State.STARTING
    cpus: int | None = None
    accelerator: str | None = None
    keeper_pid: int | None = None
    qemu_pid: int | None = None
    ended_s: int | None = None
    ending: str | None = None

    @property
    def label(self) -> str:
        """What a person calls it."""
        return self.name or self.id

    def as_json(self) -> dict[str, object]:
        """The fields as JSON values."""
        return {**asdict(self), "state": self.state.value}


def write_record(folder: Path, record: Record) -> None:
    """Note ``record`` in the folder of its machine.  Raises ``HostError``."""
    with publish_file(folder / _NAME, mode=0o600) as sink:
        sink.write(json.dumps(record.as_json(), indent=2).encode())


def read_record(folder: Path) -> Record | None:
    """What is noted there; ``None`` when that is nothing, or nothing of this version's."""
    try:
        found = json.loads(read_whole(folder / _NAME, most_bytes=_MOST_BYTES))
        state = State(found["state"])
        record = Record(**{name: found[name] for name in found.keys() & _KINDS}, state=state)
    except (HostError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return record if record.id == folder.name and _is_well_formed(record) else None


_KINDS: Mapping[str, type] = {
    **dict.fromkeys(("id", "name", "image", "arch", "accelerator", "ending"), str),
    **dict.fromkeys(("memory_mib", "started_s", "cpus", "ended_s"), int),
    **dict.fromkeys(("keeper_pid", "qemu_pid"), int),
}
_OPTIONAL = frozenset(field.name for field in fields(Record) if field.default is None) | {"name"}


def _is_well_formed(record: Record) -> bool:
    return all(_fits(name, getattr(record, name)) for name in _KINDS)


def _fits(name: str, value: object) -> bool:
    if isinstance(value, int) and value < 0:
        return False  # as a process id it would mean many processes
    return type(value) is _KINDS[name] or (value is None and name in _OPTIONAL)

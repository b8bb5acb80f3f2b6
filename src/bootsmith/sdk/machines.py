"""The machines of this user that run on by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from bootsmith.host.clock import now_s
from bootsmith.sdk.settings import cache_folder
from bootsmith.vm.kept.machines import Machines
from bootsmith.vm.kept.record import Record, State

__all__ = ["machine_log", "machines", "now_s", "stop_machine"]


def machines() -> Machines:
    """All of them.

    Not below ``$XDG_RUNTIME_DIR``, which is removed when a user logs out: they run on.
    """
    return Machines(cache_folder().absolute() / "machines")


def stop_machine(word: str, *, timeout_s: float) -> Record:
    """End the machine that ``word`` means, at once when ``timeout_s`` is 0, and forget it.

    Returns what was noted about it.  Raises ``VMError`` when there is none, or its keeper does
    not answer.
    """
    known = machines()
    record = known.find(word, now_s=now_s())
    if record.state is State.ENDED:
        known.forget(record)
    elif timeout_s == 0:
        known.kill(record)
    else:
        with known.connect(record) as machine:
            machine.stop(timeout_s=timeout_s)
    return record


def machine_log(word: str, *, follow: bool) -> Iterator[bytes]:
    """What the guest of the machine that ``word`` means has printed on its console.

    Raises ``VMError`` when there is no such machine.
    """
    known = machines()
    record = known.find(word, now_s=now_s())
    if record.state is State.ENDED:
        yield from known.log(record)
        return
    with known.connect(record) as machine:
        yield from machine.log(follow=follow)

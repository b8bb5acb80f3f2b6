"""What this machine lets us isolate, found out by trying.

A sysctl or a file in ``/etc`` is no evidence: a seccomp profile, an AppArmor rule or a
container's masked ``/proc`` may still forbid it.  The trial is a real sandbox that runs
nothing.
"""

from __future__ import annotations

import os
import pwd
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from bootsmith.errors import CommandFailed, HostError
from bootsmith.host.process import run
from bootsmith.host.syscalls import CAP_SYS_ADMIN

SandboxKind: TypeAlias = Literal["root", "subuid", "chroot", "none"]

_IDS = 65_536  # Debian, Alpine and their like use ids up to 65534 (nobody)


class IdRange(NamedTuple):
    """A line of subuid(5): ``size`` ids from ``first`` that the user may hand out."""

    first: int
    size: int


def subordinate_range(file: Path, *, user: str, uid: int) -> IdRange | None:
    """The first range in ``file`` for a user that is large enough for a guest's users."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        owner, _, rest = line.strip().partition(":")
        first, _, size = rest.partition(":")
        if owner in (user, str(uid)) and first.isdigit() and size.isdigit():
            found = IdRange(int(first), int(size))
            if found.size >= _IDS - 1:
                return found
    return None


def map_ids(pid: int) -> None:
    """Give process ``pid``, which is in a new user namespace, the users of a whole system.

    Its root is this user; the others are the subordinate ids.  Raises ``HostError``.
    """
    for tool, file, own in (
        ("newuidmap", Path("/etc/subuid"), os.getuid()),
        ("newgidmap", Path("/etc/subgid"), os.getgid()),
    ):
        found = subordinate_range(file, user=user_name(), uid=os.getuid())
        if found is None:
            raise HostError(f"{file} has no range for {user_name()}", hint=_RANGES_HINT)
        mapping = ("0", str(own), "1", "1", str(found.first), str(min(found.size, _IDS)))
        try:
            run((tool, str(pid), *mapping))
        except CommandFailed as error:
            raise HostError(f"{tool} refused: {error.tail}", hint=_RANGES_HINT) from error


@cache
def user_name() -> str:
    """The name of this user; the number where there is none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


_RANGES_HINT = (
    "as root: apt-get install uidmap && "
    "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER"
)


def likely_kind() -> SandboxKind:
    """What should work here, by a look at this process; ``namespace_support`` tries it."""
    if os.geteuid() == 0:
        return "root" if _effective_capabilities() >> CAP_SYS_ADMIN & 1 else "chroot"
    return "subuid"


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0

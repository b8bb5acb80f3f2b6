"""The user and group ids that an ordinary user may hand out (subuid(5), subgid(5))."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import NamedTuple

from bootsmith.errors import CommandFailed, HostError
from bootsmith.host.process import run

SUBUID = Path("/etc/subuid")
SUBGID = Path("/etc/subgid")

_FIRST = 100_000  # SUB_UID_MIN of login.defs(5)
_IDS = 65_536  # Debian, Alpine and their like use ids up to 65534 (nobody)


class IdRange(NamedTuple):
    """``size`` ids from ``first``."""

    first: int
    size: int


def map_ids(pid: int) -> None:
    """Give process ``pid``, which is in a new user namespace, the ids of a whole system.

    Its root is this user, the others are subordinate ids.  Raises ``ToolMissing`` without the
    programs that may do so, ``HostError`` without a range or when they refuse.
    """
    for tool, file, own in (
        ("newuidmap", SUBUID, os.getuid()),
        ("newgidmap", SUBGID, os.getgid()),
    ):
        found = own_range(file)
        if found is None:
            user = user_name()
            raise HostError(f"{file} gives {user} no range of {_IDS} ids", hint=ranges_hint())
        mapping = ("0", str(own), "1", "1", str(found.first), str(min(found.size, _IDS)))
        try:
            run((tool, str(pid), *mapping))
        except CommandFailed as error:
            raise HostError(
                f"{tool} refused to map ids: {error.tail}",
                hint=ranges_hint(),
            ) from error


def ranges_hint() -> str:
    """What root must run so that this user gets ids that nobody else has."""
    first = max(_first_free(SUBUID), _first_free(SUBGID))
    ids = f"{first}-{first + _IDS - 1}"
    return f"let root run: usermod --add-subuids {ids} --add-subgids {ids} {user_name()}"


def _first_free(file: Path) -> int:
    """The first id after all that ``file`` gives away, and where useradd begins at least."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    ends = [_FIRST]
    for line in lines:
        _, _, numbers = line.partition(":")
        first, _, size = numbers.partition(":")
        if first.isdigit() and size.isdigit():
            ends.append(int(first) + int(size))
    return max(ends)


def own_range(file: Path) -> IdRange | None:
    """The first range in ``file`` for this user that is large enough for a guest's users."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    owners = (user_name(), str(os.getuid()))
    return next((found for found in ranges(text, owners) if found.size >= _IDS - 1), None)


def ranges(text: str, owners: tuple[str, ...]) -> list[IdRange]:
    """The ranges that the lines of subuid(5) in ``text`` give to one of ``owners``."""
    found = []
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) == 3 and fields[0] in owners and all(map(str.isdecimal, fields[1:])):
            found.append(IdRange(int(fields[1]), int(fields[2])))
    return found


def user_name() -> str:
    """The name of this user; the number where there is none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())

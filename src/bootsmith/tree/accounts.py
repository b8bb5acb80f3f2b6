"""Users and groups of a tree: edits of ``passwd``, ``group`` and ``shadow`` as values.

The formats are those of passwd(5), group(5), shadow(5) and gshadow(5).  Lines that are not
understood (comments, NIS's ``+``, lines of too few fields) stay as and where they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from bootsmith.errors import ImageError
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BlobSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import InlineBytes, Metadata, RegularFile
from bootsmith.tree.file_tree import FileTree, TreeBuilder

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?")  # useradd(8), and the dot Debian allows
_UNSAFE = re.compile(r"[:\n\r\0]")
_ID_MAX = 0xFFFF_FFFE
_FIRST_ID, _LAST_ID = 1000, 59999  # what useradd(8) hands out to people
_FIRST_SYSTEM_ID, _LAST_SYSTEM_ID = 100, 999

_PASSWD_FIELDS, _GROUP_FIELDS, _SHADOW_FIELDS = 7, 4, 9
_LOCKED = "!"
_FILES = {
    "passwd": ("etc/passwd", Metadata(0o644)),
    "group": ("etc/group", Metadata(0o644)),
    "shadow": ("etc/shadow", Metadata(0o640)),
    "gshadow": ("etc/gshadow", Metadata(0o640)),
}


class User(NamedTuple):
    name: str
    uid: int
    gid: int
    gecos: str = ""
    home: str = "/"
    shell: str = "/usr/sbin/nologin"


class Group(NamedTuple):
    name: str
    gid: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The texts of the four files; ``None`` for one that the tree does not have.

    Every method that edits returns other accounts and leaves these alone.
    """

    passwd: str
    group: str
    shadow: str | None = None
    gshadow: str | None = None

    def users(self) -> Iterator[User]:
        """The users that ``passwd`` describes, in its order."""
        for fields in _rows(self.passwd, _PASSWD_FIELDS):
            name, _, uid, gid, gecos, home, shell = fields
            if uid.isdecimal() and gid.isdecimal():
                yield User(name, int(uid), int(gid), gecos, home, shell)

    def groups(self) -> Iterator[Group]:
        """The groups that ``group`` describes, in its order."""
        for name, _, gid, members in _rows(self.group, _GROUP_FIELDS):
            if gid.isdecimal():
                yield Group(name, int(gid), tuple(item for item in members.split(",") if item))

    def user(self, name: str) -> User | None:
        return next((user for user in self.users() if user.name == name), None)

    def group_named(self, name: str) -> Group | None:
        return next((group for group in self.groups() if group.name == name), None)

    def free_id(self, *, system: bool = False) -> int:
        """The lowest number that is neither a user's nor a group's."""
        first, last = (_FIRST_SYSTEM_ID, _LAST_SYSTEM_ID) if system else (_FIRST_ID, _LAST_ID)
        taken = {user.uid for user in self.users()} | {group.gid for group in self.groups()}
        for number in range(first, last + 1):
            if number not in taken:
                return number
        raise ImageError(f"every user id from {first} to {last} is taken")

    def add_group(self, group: Group) -> Accounts:
        """With ``group``.  Raises ``ImageError`` when its name or number is another's."""
        _check(group.name, group.gid, *group.members)
        for other in self.groups():
            if other == group:
                return self
            if other.name == group.name or other.gid == group.gid:
                raise ImageError(f"the group {other.name} ({other.gid}) is there already")
        members = ",".join(group.members)
        gshadow = self.gshadow
        if gshadow is not None:
            gshadow = _appended(gshadow, f"{group.name}:!::{members}")
        text = _appended(self.group, f"{group.name}:x:{group.gid}:{members}")
        return replace(self, group=text, gshadow=gshadow)

    def add_user(self, user: User, *, day: int = 0) -> Accounts:
        """With ``user``, who has no password; ``day`` (since 1970) is when that was set.

        Raises ``ImageError`` when the name or number is another's, or a field cannot stand in
        its file.
        """
        _check(user.name, user.uid, user.gecos, user.home, user.shell)
        _check(user.name, user.gid)
        for other in self.users():
            if other == user:
                return self
            if other.name == user.name or other.uid == user.uid:
                raise ImageError(f"the user {other.name} ({other.uid}) is there already")
        secret = "*" if self.shadow is None else "x"
        fields = (user.name, secret, user.uid, user.gid, user.gecos, user.home, user.shell)
        shadow = self.shadow
        if shadow is not None:
            shadow = _appended(shadow, f"{user.name}:*:{day}:0:99999:7:::")
        return replace(
            self, passwd=_appended(self.passwd, ":".join(map(str, fields))), shadow=shadow
        )

    def add_member(self, group: str, user: str) -> Accounts:
        """With ``user`` in ``group``.  Raises ``ImageError`` when there is no such group."""
        _check(user)

        def joined(fields: list[str]) -> list[str]:
            members = [item for item in fields[-1].split(",") if item]
            if user not in members:
                members.append(user)
            return [*fields[:-1], ",".join(members)]

        text = _edited(self.group, group, _GROUP_FIELDS, joined)
        if text is None:
            raise ImageError(f"there is no group {group}")
        gshadow = self.gshadow and _edited(self.gshadow, group, _GROUP_FIELDS, joined)
        return replace(self, group=text, gshadow=gshadow or self.gshadow)

    def set_shell(self, name: str, shell: str) -> Accounts:
        """With another login shell for a user.  Raises ``ImageError`` when there is none."""
        _check(name, 0, shell)
        text = _edited(self.passwd, name, _PASSWD_FIELDS, lambda fields: [*fields[:-1], shell])
        if text is None:
            raise ImageError(f"there is no user {name}")
        return replace(self, passwd=text)

    def set_password(self, name: str, hashed: str, *, day: int = 0) -> Accounts:
        """With ``hashed`` (crypt(5), ``*`` for none, empty for no question) as the password.

        Raises ``ImageError`` when there is no such user.
        """
        _check(name, 0, hashed)
        if self.shadow is None:
            text = _edited(
                self.passwd, name, _PASSWD_FIELDS, lambda row: [row[0], hashed, *row[2:]]
            )
            if text is not None:
                return replace(self, passwd=text)
        elif self.user(name) is not None:
            text = _edited(
                self.shadow,
                name,
                _SHADOW_FIELDS,
                lambda fields: [fields[0], hashed, str(day), *fields[3:]],
            )
            row = f"{name}:{hashed}:{day}:0:99999:7:::"
            return replace(self, shadow=_appended(self.shadow, row) if text is None else text)
        raise ImageError(f"there is no user {name}")

    def lock(self, name: str) -> Accounts:
        """With a user's password locked, as ``usermod --lock`` does it; a key still opens."""
        if self.user(name) is None:
            raise ImageError(f"there is no user {name}")

        def locked(fields: list[str]) -> list[str]:
            secret = fields[1] if fields[1].startswith(_LOCKED) else _LOCKED + fields[1]
            return [fields[0], secret, *fields[2:]]

        if self.shadow is None:
            text = _edited(self.passwd, name, _PASSWD_FIELDS, locked)
            return replace(self, passwd=text or self.passwd)
        text = _edited(self.shadow, name, _SHADOW_FIELDS, locked)
        return replace(self, shadow=text or self.shadow)


def read_accounts(tree: FileTree, *, blobs: BlobSource) -> Accounts:
    """The accounts of a tree, empty ones where it has no such files."""
    texts: dict[str, str] = {}
    for field, (file_name, _) in _FILES.items():
        place = tree.resolve(guest_path(file_name))
        inode = None if place is None else tree.inode(place)
        if isinstance(inode, RegularFile):
            data = read_content(inode.content, blobs=blobs)
            texts[field] = data.decode("utf-8", "surrogateescape")
    return Accounts(
        passwd=texts.get("passwd", ""),
        group=texts.get("group", ""),
        shadow=texts.get("shadow"),
        gshadow=texts.get("gshadow"),
    )


def write_accounts(
    builder: TreeBuilder, accounts: Accounts, *, before: Accounts, mtime_ns: int = 0
) -> None:
    """Put the files that differ from ``before`` into a tree.

    Each keeps the owner and mode it had there; a new one belongs to root, and a new ``shadow``
    or ``gshadow`` has mode 640.
    """
    for field, (file_name, fresh) in _FILES.items():
        text: str | None = getattr(accounts, field)
        if text is None or text == getattr(before, field):
            continue
        path = guest_path(file_name)
        place = builder.resolve(path) or builder.place(path)
        old = builder.inode(place)
        metadata = (old.metadata if old else fresh)._replace(mtime_ns=mtime_ns)
        data = text.encode("utf-8", "surrogateescape")
        builder.put(place, RegularFile(metadata, InlineBytes(data)))


def _rows(text: str, count: int) -> Iterator[list[str]]:
    for line in text.split("\n"):
        fields = line.split(":")
        if len(fields) == count and _NAME.fullmatch(fields[0]):
            yield fields


def _edited(text: str, name: str, count: int, edit: Callable[[list[str]], list[str]]) -> str | None:
    """``text`` with the row of ``name`` edited; ``None`` when it has none."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        fields = line.split(":")
        if fields[0] == name and len(fields) == count:
            lines[index] = ":".join(edit(fields))
            return "\n".join(lines)
    return None


def _appended(text: str, line: str) -> str:
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n"


def _check(name: str, number: int = 0, *texts: str) -> None:
    """Raises ``ImageError`` for what would break the files it is written to."""
    if not _NAME.fullmatch(name):
        raise ImageError(f"{name!r} is no name of a user or group")
    if not 0 <= number <= _ID_MAX:
        raise ImageError(f"{name}: no user or group has the number {number}")
    for text in texts:
        if _UNSAFE.search(text):
            raise ImageError(f"{name}: {text!r} holds a colon or a line end")

"""Owners as people write them, looked up in the image's own accounts."""

from __future__ import annotations

from collections.abc import Iterable

from bootsmith.errors import ConfigError
from bootsmith.model.similar import similar
from bootsmith.tree.accounts import Accounts

_ROOT = "root"


def owner_ids(owner: str, accounts: Accounts) -> tuple[int, int]:
    """The uid and gid of ``user[:group]``, each a name of ``accounts`` or a number.

    Without a group it is the user's own, or 0 for a number that is nobody's.  Raises
    ``ConfigError`` for a name that the image does not have.
    """
    user_name, _, group_name = owner.partition(":")
    uid, gid = _user(user_name, accounts)
    return uid, _group(group_name, accounts) if group_name else gid


def _user(name: str, accounts: Accounts) -> tuple[int, int]:
    for user in accounts.users():
        if name in (user.name, str(user.uid)):
            return user.uid, user.gid
    if name.isdecimal():
        return int(name), 0
    if name == _ROOT:
        return 0, 0  # also in an image without accounts
    raise unknown_name("user", name, (user.name for user in accounts.users()))


def _group(name: str, accounts: Accounts) -> int:
    group = accounts.group_named(name)
    if group is not None:
        return group.gid
    if name.isdecimal():
        return int(name)
    if name == _ROOT:
        return 0
    raise unknown_name("group", name, (group.name for group in accounts.groups()))


def unknown_name(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """What to raise for a user or group ``name`` that is not among ``known``."""
    hints = {
        "user": "make the user in users, or use a number",
        "group": "install the package that makes the group, or use another",
    }
    near = similar(name, sorted(known))
    return ConfigError(
        f"the image has no {kind} {name!r}",
        hint=f"did you mean {near[0]}?" if near else hints[kind],
    )

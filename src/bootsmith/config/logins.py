"""The part of a config that says who may log in to the guest."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from bootsmith.config.fields import AbsolutePath, Between, ManyProblems, Matches, Part, encodable
from bootsmith.model.ssh_key import looks_like_a_key, public_key

_NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,30}")  # useradd(8), and the dot Debian allows
# crypt(5): $id$…, with ids that today's libcrypt or musl reads; DES hashes are refused.
_HASH = re.compile(r"\$(1|2[abxy]|5|6|7|y|gy)\$[A-Za-z0-9./$=,]{8,}")


def _key(value: str) -> str:
    """A public key as a line, or the path of a file of them."""
    text = encodable(value).strip()
    if looks_like_a_key(text):
        return public_key(text)
    if not text or "\n" in text or "\0" in text:
        raise ValueError("is neither a public key on one line nor the path of a file of them")
    return text


def _password_hash(value: str) -> str:
    if not _HASH.fullmatch(value):
        # What stands there may be the password itself: it is not shown.
        raise ValueError("is not the hash of a password, such as `openssl passwd -6` prints ($6$…)")
    return value


def _each_once(users: tuple[UserConfig, ...]) -> tuple[UserConfig, ...]:
    wrong = []
    for field in ("name", "uid"):
        seen: set[object] = set()
        for index, user in enumerate(users):
            value = getattr(user, field)
            if value is not None and value in seen:
                wrong.append((f"[{index}].{field}", f"{value} stands there twice"))
            seen.add(value)
    if wrong:
        raise ManyProblems(wrong)
    return users


Name: TypeAlias = Annotated[str, Matches(_NAME, "a name of a user or group")]
Key: TypeAlias = Annotated[str, AfterValidator(_key)]
PasswordHash: TypeAlias = Annotated[str, AfterValidator(_password_hash)]
Id: TypeAlias = Annotated[int, Between(0, 0xFFFF_FFFE)]


class SshConfig(Part):
    """An sshd that our init starts; the image must hold one (`openssh-server`)."""

    port: Annotated[int, Between(1, 65535)] = 22
    """The port sshd listens on."""
    keys: tuple[Key, ...] = ()
    """Public keys that open root's door: the key itself, or the path of a file."""
    password_hash: PasswordHash | None = None
    """The hash of root's password, as `openssl passwd -6` prints it."""


class UserConfig(Part):
    """A user of the guest; one that the image has already is changed to this."""

    name: Name
    """The login name."""
    uid: Id | None = None
    """The number; left out, the lowest free one from 1000 on."""
    groups: tuple[Name, ...] = ()
    """Groups beside the user's own; the image must have them."""
    shell: AbsolutePath | None = None
    """The login shell; left out, `/bin/bash` where the image has it, else `/bin/sh`."""
    home: AbsolutePath | None = None
    """The home folder; left out, `/home/<name>`."""
    keys: tuple[Key, ...] = ()
    """Public keys for ssh: the key itself, or the path of a file."""
    password_hash: PasswordHash | None = None
    """The hash of the password; left out, no password opens."""


Users: TypeAlias = Annotated[tuple[UserConfig, ...], AfterValidator(_each_once)]

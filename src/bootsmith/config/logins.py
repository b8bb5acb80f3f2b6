"""The part of a config that says who may log in to the guest."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from bootsmith.config.fields import AbsolutePath, Part, Whole, encodable, matches

_NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,30}")  # useradd(8), and the dot Debian allows
# crypt(5): $id$…, with ids that today's libcrypt or musl reads; DES hashes are refused.
_HASH = re.compile(r"\$(1|2[abxy]|5|6|7|y|gy)\$[A-Za-z0-9./$=,]{8,}")
_PRIVATE = "PRIVATE KEY-----"


def _key(value: str) -> str:
    """A public key as a line, or the path of a file of them."""
    if _PRIVATE in value:
        raise ValueError("is a private key, which must stay with you: give the public one (.pub)")
    if not value.strip() or "\n" in value.strip() or "\0" in encodable(value):
        raise ValueError("is neither one public key on one line nor the path of a file of them")
    return value.strip()


Name: TypeAlias = Annotated[str, matches(_NAME, "a name of a user or group")]
Key: TypeAlias = Annotated[str, AfterValidator(_key)]
PasswordHash: TypeAlias = Annotated[
    str, matches(_HASH, "a password hash such as `openssl passwd -6` prints ($6$…)")
]
Id: TypeAlias = Annotated[Whole, Field(ge=0, le=0xFFFF_FFFE)]


class SshConfig(Part):
    """An sshd that our init starts; the image must hold one (`openssh-server`)."""

    port: Annotated[Whole, Field(ge=1, le=65535)] = 22
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

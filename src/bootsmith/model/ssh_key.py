"""Public keys of ssh, as they stand in a ``.pub`` file or in ``authorized_keys`` (sshd(8))."""

from __future__ import annotations

import base64
import binascii
import struct

KEY_TYPES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)
_PRIVATE = "PRIVATE KEY-----"
_LENGTH = struct.Struct(">I")


def looks_like_a_key(text: str) -> bool:
    """Whether ``text`` is meant as a key, right or wrong, and not as the path of a file."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    return first.startswith(("ssh-", "ecdsa-", "sk-", "AAAA", "-----BEGIN")) and "/" not in first


def public_key(line: str) -> str:
    """The key in ``line`` (type, data, comment), blanks made single.

    Raises ``ValueError`` that says what is wrong with it.
    """
    if _PRIVATE in line:
        raise ValueError("a private key, which must stay with you: give the public one (.pub)")
    words = line.split()
    if not words or words[0] not in KEY_TYPES:
        raise ValueError(
            f"not a public key for ssh: it begins with {words[0] if words else 'nothing'!r}, "
            f"and the types are {', '.join(KEY_TYPES)}"
        )
    if len(words) == 1:
        raise ValueError(f"not a public key for ssh: there is nothing behind {words[0]}")
    try:
        data = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if _inner_type(data) != words[0].encode():
        raise ValueError(f"not a public key for ssh: its data is no {words[0]} key, or is cut off")
    return " ".join(words)


def _inner_type(data: bytes) -> bytes | None:
    """The type that the data itself names (RFC 4253, 6.6), if its fields are all there."""
    fields = []
    position = 0
    while position + _LENGTH.size <= len(data):
        (size,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        fields.append(data[position : position + size])
        position += size
    return fields[0] if len(fields) > 1 and position == len(data) else None

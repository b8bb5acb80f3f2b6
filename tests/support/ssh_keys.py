"""Public keys of every type that sshd takes, made here without ssh-keygen."""

from __future__ import annotations

import base64
import struct

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def _line(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " me@here"


def _packed(*fields: bytes) -> str:
    data = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return base64.b64encode(data).decode()


def _security_keys() -> tuple[str, ...]:
    """As a FIDO token's: the public part, and the application it is for (PROTOCOL.u2f)."""
    ed, ecdsa = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
    point = b"\4" + bytes(64)
    return (
        f"{ed} {_packed(ed.encode(), bytes(32), b'ssh:')} token",
        f"{ecdsa} {_packed(ecdsa.encode(), b'nistp256', point, b'ssh:')} token",
    )


PUBLIC_KEYS = (
    _line(rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()),
    _line(ed25519.Ed25519PrivateKey.generate().public_key()),
    *(
        _line(ec.generate_private_key(curve).public_key())
        for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
    ),
    *_security_keys(),
)

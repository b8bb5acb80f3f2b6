"""What makes an index believed: a signature by a trusted key.

Everything else hangs on it: an index names each package by the digest of its control part, and
that names the digest of its files.  So this is the one place that decides whom to trust.  It
fails closed: whatever is not right raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bootsmith.errors import ArchiveError, ImageError, IntegrityError
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest
from bootsmith.model.streams import BytesSource
from bootsmith.sources.alpine.gzip_members import read_member
from bootsmith.sources.alpine.metadata_tar import read_files

_SIGNATURE_MOST_BYTES = 1 << 20
_PREFIX = ".SIGN."
# The kinds of signature in the order of their worth; the first is what Alpine itself writes.
_ALGORITHMS: Mapping[str, hashes.HashAlgorithm] = {
    "RSA": hashes.SHA1(),  # noqa: S303 - the format's own; keys and names are Alpine's
    "RSA256": hashes.SHA256(),
    "RSA512": hashes.SHA512(),
}
# Which of the keys in ``keys/`` sign what is built for an architecture, as alpine-keys has it.
_KEYS = {
    Arch.X86_64: ("4a6a0840", "5261cecb", "6165ee59"),
    Arch.AARCH64: ("58199dcc", "616ae350"),
}


@dataclass(frozen=True, slots=True)
class Keyring:
    """Trusted public keys (PEM) by the name under which signatures mention them."""

    keys: Mapping[str, bytes]

    def __or__(self, other: Keyring) -> Keyring:
        """The keys of both.  Raises ``ImageError`` when they mean different keys by one name."""
        for name in self.keys.keys() & other.keys.keys():
            if self.keys[name].strip() != other.keys[name].strip():
                raise ImageError(f"two different keys are called {name}", hint="rename one of them")
        return Keyring({**self.keys, **other.keys})


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPart:
    """What follows the signatures in ``data``, from ``offset`` to its end.

    ``signed_by`` names the key; ``None`` when nobody's signature is good and that was allowed.
    """

    offset: int
    signed_by: str | None


def alpine_keyring(arch: Arch) -> Keyring:
    """Alpine's own keys for ``arch``, which come with bootsmith (``keys/README.md``)."""
    folder = resources.files("bootsmith.sources.alpine") / "keys"
    names = [f"alpine-devel@lists.alpinelinux.org-{key}.rsa.pub" for key in _KEYS[arch]]
    return Keyring({name: (folder / name).read_bytes() for name in names})


def fingerprint(key: bytes) -> str:
    """The SHA-256 digest of a public key (PEM) in its DER form, in hex.

    Raises ``ImageError`` for what is no RSA key.
    """
    der = _rsa_key(key, "the key").public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Digest.of(der).hex


def signed_part(
    data: bytes, *, keyring: Keyring, where: str, allow_unsigned: bool = False
) -> SignedPart:
    """What is signed in ``data``, a signature's gzip member with another behind it.

    ``where`` names it in errors.  With ``allow_unsigned`` the part is given without a good
    signature too, and says so.  Raises ``IntegrityError`` for a missing or wrong signature and
    an unknown key, ``ArchiveError`` for what is no such file.
    """
    try:
        member = read_member(BytesSource(data), 0, most_bytes=64 * _SIGNATURE_MOST_BYTES)
        files = read_files(member.data)
    except ArchiveError as error:
        raise ArchiveError(f"{where} is malformed: {error}", offset=error.offset) from error
    signatures = [file for file in files if file.name.startswith(_PREFIX)]
    if not signatures:
        if allow_unsigned:
            return SignedPart(offset=0, signed_by=None)
        raise _not_trusted(where, "no signature", keyring)
    if member.end >= len(data):
        raise ArchiveError(f"{where} is cut off: there is nothing but a signature")
    signed = memoryview(data)[member.end :]
    met = []
    for file in signatures:
        kind, _, name = file.name.removeprefix(_PREFIX).partition(".")
        met.append(f"{kind} by {name}")
        key, algorithm = keyring.keys.get(name), _ALGORITHMS.get(kind)
        if key is None or algorithm is None:
            continue
        try:
            _rsa_key(key, name).verify(file.content, bytes(signed), padding.PKCS1v15(), algorithm)
        except InvalidSignature as error:
            # A key that is trusted, and something it did not sign: never passed over.
            raise IntegrityError(
                f"{where} is not what the key {name} signed",
                expected=f"what {name} signed",
                actual="something else",
                url=where,
                hint="the mirror is damaged, or someone changed the file: try another one",
            ) from error
        return SignedPart(offset=member.end, signed_by=name)
    if allow_unsigned:
        return SignedPart(offset=member.end, signed_by=None)
    raise _not_trusted(where, ", ".join(met), keyring)


def _not_trusted(where: str, actual: str, keyring: Keyring) -> IntegrityError:
    return IntegrityError(
        f"{where} is not signed by a trusted key",
        expected=f"a signature by one of: {', '.join(sorted(keyring.keys)) or 'no key at all'}",
        actual=actual,
        url=where,
        hint="name the key of this repository in the config, if you trust whoever keeps it",
    )


def _rsa_key(pem: bytes, name: str) -> rsa.RSAPublicKey:
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as error:
        raise ImageError(
            f"{name} is no public key in PEM form", hint="give the .rsa.pub"
        ) from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise ImageError(f"{name} is no RSA key", hint="apk repositories are signed with RSA keys")
    return key

"""OpenPGP signatures (RFC 9580), checked by pysequoia, or else by the gpgv that is handed in.

A text counts as signed when at least one signature on it is valid and was made by a key of the
keyring that has neither expired nor been revoked; further signatures may be by keys unknown
here, since an archive signs with its next key long before everyone has it.
"""

from __future__ import annotations

import base64
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bootsmith.errors import HostError, ImageError, IntegrityError

if TYPE_CHECKING:
    from pysequoia import Cert, Decrypted, Sig

_CLEARSIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE_END = b"-----END PGP SIGNATURE-----"
_ARMOR = b"-----BEGIN PGP"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedText:
    """A text and who signed it.

    ``signers`` are the fingerprints of the certificates (primary keys) whose signatures are
    valid, in upper case and sorted.  It is empty only where the caller allowed unsigned text.
    """

    text: bytes
    signers: tuple[str, ...]


class GpgvAnswer(Protocol):
    """What gpgv found: the text that was signed, and the lines of its status output."""

    @property
    def text(self) -> bytes: ...

    @property
    def status(self) -> tuple[str, ...]: ...


class Gpgv(Protocol):
    """Runs gpgv on a clear-signed message, or on data with a detached signature
    (``bootsmith.host.gpgv``)."""

    def __call__(
        self, data: bytes, *, keyring: bytes, signature: bytes | None = None
    ) -> GpgvAnswer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """Public keys, and with what to check signatures where pysequoia is not installed.

    Each of ``keys`` is binary or ASCII-armored and may hold several certificates.
    """

    keys: tuple[bytes, ...]
    gpgv: Gpgv | None = None

    def extended(self, *keys: bytes) -> Keyring:
        """This keyring and the caller's own keys."""
        return replace(self, keys=(*self.keys, *keys))


def require_certificates(data: bytes) -> None:
    """Raises ``ImageError`` when ``data`` holds no OpenPGP certificate.

    Without pysequoia nothing is looked at: gpgv tells when it reads them.
    """
    if importlib.util.find_spec("pysequoia") is None:
        return
    import pysequoia

    try:
        certificates = pysequoia.Cert.split_bytes(data)
    except RuntimeError as error:
        raise ImageError(
            f"no OpenPGP key: {_first_line(error)}",
            hint="give a public key, binary or armored, as `gpg --export` writes it",
        ) from error
    if not certificates:
        raise ImageError("holds no OpenPGP key", hint="give what `gpg --export` writes")


def verify_clearsigned(
    message: bytes, *, keyring: Keyring, now: datetime, where: str
) -> SignedText:
    """The signed text of a clear-signed message; nothing before or after it is taken.

    Raises ``IntegrityError`` naming ``where`` unless the text counts as signed.
    """
    body = message.strip()
    if not body.startswith(_CLEARSIGNED) or not body.endswith(_SIGNATURE_END):
        raise _refused(where, "no OpenPGP signature around it", keyring)
    if body.count(_CLEARSIGNED) != 1:  # which of them is signed depends on who reads it
        raise _refused(where, "several signed messages in one", keyring)
    return _verify(body + b"\n", None, keyring, now, where)


def verify_detached(
    text: bytes, signature: bytes, *, keyring: Keyring, now: datetime, where: str
) -> SignedText:
    """``text`` signed by a detached ``signature``.  Raises as ``verify_clearsigned`` does."""
    return _verify(text, signature, keyring, now, where)


def is_clearsigned(data: bytes) -> bool:
    """Whether ``data`` looks like a clear-signed message."""
    return data.lstrip().startswith(_CLEARSIGNED)


def unwrapped(message: bytes) -> bytes:
    """The text of a clear-signed message whose signature is *not* checked (RFC 9580, 7)."""
    if not is_clearsigned(message):
        return message
    lines = message.replace(b"\r\n", b"\n").strip().split(b"\n")
    begin = lines.index(b"") + 1 if b"" in lines else len(lines)
    end = next((at for at, line in enumerate(lines) if line.startswith(_ARMOR) and at), len(lines))
    return b"".join(line.removeprefix(b"- ") + b"\n" for line in lines[begin:end])


def _verify(
    data: bytes, signature: bytes | None, keyring: Keyring, now: datetime, where: str
) -> SignedText:
    if importlib.util.find_spec("pysequoia") is not None:
        return _verify_with_sequoia(data, signature, keyring, now, where)
    if keyring.gpgv is not None:
        return _verify_with_gpgv(data, signature, keyring, keyring.gpgv, where)
    raise HostError(
        "no OpenPGP implementation is here to check the archive's signature",
        hint="install the Python package pysequoia, or gpgv",
    )


def _verify_with_sequoia(
    data: bytes, signature: bytes | None, keyring: Keyring, now: datetime, where: str
) -> SignedText:
    import pysequoia

    try:
        certificates = [cert for key in keyring.keys for cert in pysequoia.Cert.split_bytes(key)]
    except RuntimeError as error:
        raise IntegrityError(
            f"a key for {where} cannot be read",
            expected="OpenPGP certificates, binary or armored",
            actual=_first_line(error),
            url=where,
            hint="check the keyring file",
        ) from error
    issuers: set[str] = set()

    def certificates_for(ids: list[str]) -> list[Cert]:
        issuers.update(name.lower() for name in ids)
        return certificates

    text, signers, failure = data, set[str](), "no OpenPGP signature"
    for one in [None] if signature is None else _signatures(signature):
        try:
            found: Decrypted = (
                pysequoia.verify(bytes=data, store=certificates_for)
                if one is None
                else pysequoia.verify(bytes=data, store=certificates_for, signature=one)
            )
        except RuntimeError as error:
            failure = _first_line(error)
            continue
        if one is None:
            text = found.bytes or b""
        signers |= {made.certificate for made in found.valid_sigs}
    usable = {cert.fingerprint for cert in certificates if _is_usable(cert, now)}
    if not signers & usable:
        raise _refused(where, _diagnosis(issuers, certificates, usable, failure), keyring)
    return SignedText(text=text, signers=tuple(sorted(name.upper() for name in signers & usable)))


def _signatures(armored_or_binary: bytes) -> list[Sig]:
    from pysequoia import Sig
    from pysequoia.packet import PacketPile, Tag

    try:
        packets = list(PacketPile.from_bytes(armored_or_binary))
        return [Sig.from_bytes(bytes(one)) for one in packets if one.tag == Tag.Signature]
    except RuntimeError:
        return []  # whatever it is, it is no signature, and that is the answer


def _is_usable(certificate: Cert, now: datetime) -> bool:
    expiration = certificate.expiration
    return not certificate.is_revoked and (expiration is None or now < expiration)


def _diagnosis(
    issuers: set[str], certificates: Sequence[Cert], usable: set[str], failure: str
) -> str:
    """Why no signature counted, as exactly as can be said."""
    if not issuers:
        return failure
    known = [cert for cert in certificates if issuers & _key_ids(cert)]
    if not known:
        return "signatures only by keys that are not in the keyring: " + _listed(issuers)
    if stale := [cert for cert in known if cert.fingerprint not in usable]:
        names = {cert.fingerprint for cert in stale}
        if len(stale) == len(known):
            return "signatures only by expired or revoked keys: " + _listed(names)
    return "a bad signature: the text was changed after it was signed by " + _listed(issuers)


def _key_ids(certificate: Cert) -> set[str]:
    from pysequoia.packet import PacketPile

    ids: set[str] = set()
    for packet in PacketPile.from_bytes(bytes(certificate)):
        ids |= {name for name in (packet.key_id, packet.fingerprint) if name is not None}
    return ids


def _verify_with_gpgv(
    data: bytes, signature: bytes | None, keyring: Keyring, gpgv: Gpgv, where: str
) -> SignedText:
    answer = gpgv(data, keyring=b"".join(map(_binary, keyring.keys)), signature=signature)
    said = [line.split() for line in answer.status]
    valid = {words[10] if len(words) > 10 else words[1] for words in said if words[0] == "VALIDSIG"}
    # VALIDSIG also follows EXPKEYSIG and REVKEYSIG; those are not good.
    refusals = {
        "BADSIG": "a bad signature: the text was changed after it was signed",
        "EXPKEYSIG": "a signature by an expired key",
        "REVKEYSIG": "a signature by a revoked key",
        "EXPSIG": "an expired signature",
        "ERRSIG": "signatures only by keys that are not in the keyring",
    }
    good = sum(words[0] == "GOODSIG" for words in said)
    if not good or any(words[0] in ("BADSIG", "EXPKEYSIG", "REVKEYSIG") for words in said):
        reasons = [text for name, text in refusals.items() if any(w[0] == name for w in said)]
        raise _refused(where, (reasons or ["no OpenPGP signature"])[0], keyring)
    return SignedText(text=answer.text, signers=tuple(sorted(valid)))


def _binary(key: bytes) -> bytes:
    """Key material without its ASCII armor (RFC 9580, 6.2), as gpgv wants it."""
    if not key.lstrip().startswith(_ARMOR):
        return key
    binary = bytearray()
    for block in key.replace(b"\r\n", b"\n").split(_ARMOR)[1:]:
        _, _, body = block.partition(b"\n\n")
        lines = body.partition(b"-----END")[0].split()
        binary += base64.b64decode(b"".join(line for line in lines if not line.startswith(b"=")))
    return bytes(binary)


def _refused(where: str, actual: str, keyring: Keyring) -> IntegrityError:
    return IntegrityError(
        f"{where} is not signed by a trusted key: {actual}",
        expected=f"a valid signature by a key of the keyring ({len(keyring.keys)} key files)",
        actual=actual,
        url=where,
        hint="check that the mirror is what you think it is; give the archive's key if it is "
        "your own archive, or allow unsigned sources if you must",
    )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(name.upper() for name in names))


def _first_line(error: RuntimeError) -> str:
    return str(error).split("\n", 1)[0]

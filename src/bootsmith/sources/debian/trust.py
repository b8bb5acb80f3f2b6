"""What makes a suite's ``Release`` believed: a signature, its name and its age.

Everything else of an archive hangs on the digests in ``Release``, so this is the one place
that decides whom to trust.  It fails closed: whatever is not right raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib import resources

from bootsmith.errors import FetchError, ImageError, IntegrityError
from bootsmith.sources.debian.openpgp import (
    Gpgv,
    Keyring,
    SignedText,
    unwrapped,
    verify_clearsigned,
    verify_detached,
)
from bootsmith.sources.debian.release import Release

__all__ = ["Keyring", "TrustedRelease", "debian_keyring", "trusted_release"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedRelease:
    """A release that passed.  ``signers`` is empty when it is unsigned and that was allowed."""

    release: Release
    signers: tuple[str, ...]

    @property
    def is_signed(self) -> bool:
        return bool(self.signers)


def debian_keyring(*, gpgv: Gpgv | None = None) -> Keyring:
    """The keys of the Debian archive that come with bootsmith (``keys/README.md``)."""
    folder = resources.files("bootsmith.sources.debian") / "keys"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".asc")),
        key=lambda file: file.name,
    )
    return Keyring(keys=tuple(file.read_bytes() for file in files), gpgv=gpgv)


def trusted_release(
    message: bytes,
    *,
    signature: bytes | None = None,
    suite: str,
    where: str,
    keyring: Keyring,
    now: datetime,
    allow_unsigned: bool = False,
) -> TrustedRelease:
    """The release in ``message``: an ``InRelease``, or a ``Release`` with its ``signature``.

    ``suite`` is the name it was asked for by, ``where`` names it in errors, and ``now`` decides
    about expiry.  With ``allow_unsigned`` a text that carries no good signature is taken too,
    and the result says so.  Raises ``IntegrityError`` for a missing or bad signature, an unknown
    or expired key, another suite's release and one that has expired; ``FetchError`` when it is
    malformed.
    """
    signed = _signed_text(message, signature, where, keyring, now, allow_unsigned=allow_unsigned)
    try:
        release = Release.parse(signed.text)
    except ImageError as error:
        raise FetchError(
            f"{where} cannot be read: {error}", url=where, hint="try another mirror"
        ) from error
    _check_name(release, suite, where)
    _check_age(release, now, where)
    return TrustedRelease(release=release, signers=signed.signers)


def _signed_text(
    message: bytes,
    signature: bytes | None,
    where: str,
    keyring: Keyring,
    now: datetime,
    *,
    allow_unsigned: bool,
) -> SignedText:
    try:
        if signature is None:
            return verify_clearsigned(message, keyring=keyring, now=now, where=where)
        return verify_detached(message, signature, keyring=keyring, now=now, where=where)
    except IntegrityError:
        if not allow_unsigned:
            raise
    text = unwrapped(message) if signature is None else message
    return SignedText(text=text, signers=())


def _check_name(release: Release, suite: str, where: str) -> None:
    if not release.is_named(suite):
        raise IntegrityError(
            f"{where} is the release of another suite",
            expected=suite,
            actual=f"suite {release.suite!r}, codename {release.codename!r}",
            url=where,
            hint="name the suite as the archive does, by its suite or codename",
        )


def _check_age(release: Release, now: datetime, where: str) -> None:
    if release.valid_until is not None and release.valid_until <= now:
        raise IntegrityError(
            f"{where} has expired: someone may be holding back newer packages",
            expected=f"a release valid at {now.isoformat()}",
            actual=f"valid until {release.valid_until.isoformat()}",
            url=where,
            hint="check this machine's clock, or choose a mirror that is up to date",
        )

"""Whom to believe: everything that is wrong with a release must be refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pysequoia
import pytest

from bootsmith.errors import FetchError, HostError, IntegrityError
from bootsmith.host.gpgv import gpgv
from bootsmith.sources.debian.openpgp import unwrapped
from bootsmith.sources.debian.trust import (
    Keyring,
    TrustedRelease,
    debian_keyring,
    trusted_release,
)
from tests.support.debian_repository import DATE, SigningKey, deb, repository
from tests.support.judges import require

KEY = SigningKey.generate()
OTHER = SigningKey.generate("Someone else <else@example.org>")
NOW = datetime.now(UTC)  # the keys above are as young as this test run
FILES = repository([deb(name="hello")], key=KEY)
INRELEASE = FILES["dists/testing-suite/InRelease"]
RELEASE = FILES["dists/testing-suite/Release"]
KEYRING = Keyring(keys=(KEY.public,))


def trust(
    message: bytes = INRELEASE,
    *,
    signature: bytes | None = None,
    suite: str = "stable",
    keyring: Keyring = KEYRING,
    now: datetime = NOW,
    allow_unsigned: bool = False,
) -> TrustedRelease:
    return trusted_release(
        message,
        signature=signature,
        suite=suite,
        where="dists/stable/InRelease",
        keyring=keyring,
        now=now,
        allow_unsigned=allow_unsigned,
    )


@pytest.fixture(params=["pysequoia", "gpgv"])
def keyring(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Keyring]:
    """Makes keyrings that are used by one implementation of OpenPGP or the other."""
    if request.param == "gpgv":
        require("gpgv")
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        return lambda *keys: Keyring(keys=keys, gpgv=gpgv)
    return lambda *keys: Keyring(keys=keys)


def test_a_signed_release(keyring: Callable[..., Keyring]) -> None:
    found = trust(keyring=keyring(KEY.public))
    assert found.is_signed
    assert found.signers == (KEY.fingerprint,)
    assert found.release.codename == "testing-suite"
    assert found.release.date == DATE


def test_a_detached_signature(keyring: Callable[..., Keyring]) -> None:
    found = trust(RELEASE, signature=KEY.detached(RELEASE), keyring=keyring(KEY.public))
    assert found.signers == (KEY.fingerprint,)


def test_one_of_several_signatures_is_enough(keyring: Callable[..., Keyring]) -> None:
    both = pysequoia.armor(
        _binary_signature(OTHER, RELEASE) + _binary_signature(KEY, RELEASE),
        pysequoia.ArmorKind.Signature,
    )
    found = trust(RELEASE, signature=both.encode(), keyring=keyring(KEY.public))
    assert found.signers == (KEY.fingerprint,)


def test_binary_keys_and_several_in_one(keyring: Callable[..., Keyring]) -> None:
    assert trust(keyring=keyring(OTHER.public_binary + KEY.public_binary)).is_signed
    assert trust(keyring=keyring(OTHER.public, KEY.public)).is_signed


def _binary_signature(key: SigningKey, data: bytes) -> bytes:
    mode = pysequoia.SignatureMode.DETACHED
    return pysequoia.sign(key.secret.signer(), data, mode=mode, armor=False)


REFUSED = {
    "no signature": (RELEASE, "no OpenPGP signature"),
    "nothing": (b"", "no OpenPGP signature"),
    "a web page": (b"<html>Please log in</html>", "no OpenPGP signature"),
    "text before the signed text": (b"Evil: yes\n\n" + INRELEASE, "no OpenPGP signature"),
    "text after the signed text": (INRELEASE + b"\nEvil: yes\n", "no OpenPGP signature"),
    "a changed digest": (INRELEASE.replace(b"SHA256:\n ", b"SHA256:\n 0", 1), "a bad signature"),
    "a changed name": (INRELEASE.replace(b"Suite: stable", b"Suite: unstab"), "a bad signature"),
    "two messages, the first one right": (INRELEASE + OTHER.clearsign(RELEASE), "several"),
    "two messages, the last one right": (OTHER.clearsign(RELEASE) + INRELEASE, "several"),
    "a foreign signature": (OTHER.clearsign(RELEASE), "not in the keyring"),
    "a cut signature": (
        INRELEASE[: INRELEASE.index(b"-----BEGIN PGP SIGNATURE")]
        + b"-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----\n",
        "",
    ),
}


@pytest.mark.parametrize(("message", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(message: bytes, reason: str, keyring: Callable[..., Keyring]) -> None:
    with pytest.raises(IntegrityError, match="is not signed by a trusted key") as caught:
        trust(message, keyring=keyring(KEY.public))
    assert reason in caught.value.actual
    assert caught.value.url == "dists/stable/InRelease"
    assert caught.value.hint


@pytest.mark.parametrize("signature", [b"", b"nonsense", KEY.detached(RELEASE + b" ")])
def test_bad_detached_signatures(signature: bytes, keyring: Callable[..., Keyring]) -> None:
    with pytest.raises(IntegrityError, match="is not signed by a trusted key"):
        trust(RELEASE, signature=signature, keyring=keyring(KEY.public))


def test_every_changed_byte_is_noticed() -> None:
    """Sabotage: whatever byte of the signed text is changed, it is refused."""
    start = INRELEASE.index(b"Origin:")
    end = INRELEASE.index(b"-----BEGIN PGP SIGNATURE") - 2
    for position in range(start, end, 7):
        changed = bytearray(INRELEASE)
        changed[position] ^= 1
        with pytest.raises(IntegrityError):
            trust(bytes(changed))


def test_no_keys_trust_nobody() -> None:
    with pytest.raises(IntegrityError, match="not in the keyring"):
        trust(keyring=Keyring(keys=()))


def test_an_expired_key() -> None:
    key = SigningKey.generate(valid_s=3600)
    files = repository([], key=key)
    message = files["dists/testing-suite/InRelease"]
    keyring = Keyring(keys=(key.public,))
    assert trust(message, keyring=keyring, now=datetime.now(UTC)).is_signed
    with pytest.raises(IntegrityError, match="expired or revoked"):
        trust(message, keyring=keyring, now=datetime.now(UTC) + timedelta(hours=2))


def test_a_damaged_keyring() -> None:
    with pytest.raises(IntegrityError, match=r"key .* cannot be read"):
        trust(keyring=Keyring(keys=(b"\x99 this is no key",)))


def test_without_any_implementation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(HostError, match="no OpenPGP implementation") as caught:
        trust()
    assert caught.value.hint


@pytest.mark.parametrize("suite", ["stable", "testing-suite", "testing-suite/"])
def test_the_names_of_a_suite(suite: str) -> None:
    assert trust(suite=suite).is_signed


def test_another_suite_under_the_wanted_name() -> None:
    with pytest.raises(IntegrityError, match="another suite") as caught:
        trust(suite="bookworm")
    assert caught.value.expected == "bookworm"
    assert "testing-suite" in caught.value.actual


def test_an_expired_release() -> None:
    end = datetime(2026, 1, 8, tzinfo=UTC)
    files = repository([], key=KEY, valid_until=end)
    message = files["dists/testing-suite/InRelease"]
    with pytest.raises(IntegrityError, match="has expired"):
        trust(message, now=max(end, NOW))
    later = repository([], key=KEY, valid_until=NOW + timedelta(days=7))
    assert trust(later["dists/testing-suite/InRelease"]).is_signed


def test_a_signed_text_that_is_no_release() -> None:
    with pytest.raises(FetchError, match="cannot be read"):
        trust(KEY.clearsign(b"Hello: world\n"))


@pytest.mark.parametrize("message", [RELEASE, OTHER.clearsign(RELEASE), INRELEASE + b"\nx"])
def test_unsigned_is_taken_only_on_request_and_says_so(message: bytes) -> None:
    found = trust(message, allow_unsigned=True)
    assert not found.is_signed
    assert found.release.codename == "testing-suite"


def test_allowing_unsigned_does_not_hide_a_signature() -> None:
    assert trust(allow_unsigned=True).signers == (KEY.fingerprint,)


def test_unsigned_does_not_mean_any_suite_or_any_age() -> None:
    with pytest.raises(IntegrityError, match="another suite"):
        trust(RELEASE, suite="other", allow_unsigned=True)


def test_unwrapping_undoes_dash_escapes() -> None:
    text = b"Origin: x\n- a dash\n"
    assert unwrapped(KEY.clearsign(text)).rstrip() == text.rstrip()
    assert unwrapped(text) == text


def test_the_keys_of_debian() -> None:
    """The table of keys/README.md is what the key files hold."""
    keyring = debian_keyring()
    found = {
        cert.fingerprint.upper(): str(cert.user_ids[0])
        for key in keyring.keys
        for cert in pysequoia.Cert.split_bytes(key)
    }
    from importlib import resources

    table = (resources.files("bootsmith.sources.debian") / "keys" / "README.md").read_text()
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    assert {row[2].strip(" `").replace(" ", ""): row[3].strip() for row in rows} == found
    assert len(found) == len(keyring.keys) == 9

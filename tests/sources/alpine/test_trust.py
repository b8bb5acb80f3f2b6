"""Who is believed, and what is refused."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from bootsmith.errors import ArchiveError, ImageError, IntegrityError
from bootsmith.model.arch import Arch
from bootsmith.sources.alpine.trust import Keyring, alpine_keyring, fingerprint, signed_part
from tests.support.alpine_repository import SigningKey, apk, index, member, signed_index
from tests.support.real_alpine import real_repository

KEY = SigningKey.generate()
OTHER = SigningKey.generate("other@example.org-2.rsa.pub")
RING = Keyring({KEY.name: KEY.public})
TEXT = index([apk(name="a")])


@pytest.mark.parametrize("kind", ["RSA", "RSA256", "RSA512"])
def test_a_good_signature(kind: str) -> None:
    data = signed_index(TEXT, key=KEY, kind=kind)
    found = signed_part(data, keyring=RING, where="here")
    assert found.signed_by == KEY.name
    assert data[found.offset :] == signed_index(TEXT, key=None)


def test_every_byte_counts() -> None:
    """Sabotage: whichever byte of the signed part is changed, it is refused."""
    data = signed_index(TEXT, key=KEY)
    start = signed_part(data, keyring=RING, where="here").offset
    for position in range(start, len(data), 7):
        spoilt = bytearray(data)
        spoilt[position] ^= 1
        with pytest.raises(IntegrityError, match="not what the key"):
            signed_part(bytes(spoilt), keyring=RING, where="here")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (signed_index(TEXT, key=None), "not signed by a trusted key"),
        (signed_index(TEXT, key=OTHER), "not signed by a trusted key"),
        (OTHER.signature(b"x", name=KEY.name) + signed_index(TEXT, key=None), "not what the key"),
        (signed_index(TEXT, key=KEY) + b"more", "not what the key"),
        (KEY.signature(b"x") + member({"a": b""}), "not what the key"),
    ],
    ids=["unsigned", "another key", "a forged name", "something behind", "another text"],
)
def test_what_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(IntegrityError, match=what):
        signed_part(data, keyring=RING, where="here")


def test_an_unknown_kind_of_signature() -> None:
    data = member({f".SIGN.DSA.{KEY.name}": b"x"}, is_last=False) + member({"APKINDEX": TEXT})
    with pytest.raises(IntegrityError) as caught:
        signed_part(data, keyring=RING, where="here")
    assert caught.value.actual == f"DSA by {KEY.name}"


def test_a_bad_signature_by_a_trusted_key_is_not_made_good_by_allowing_unsigned() -> None:
    data = bytearray(signed_index(TEXT, key=KEY))
    data[-3] ^= 1
    with pytest.raises(IntegrityError):
        signed_part(bytes(data), keyring=RING, where="here", allow_unsigned=True)


@pytest.mark.parametrize("key", [None, OTHER])
def test_unsigned_may_be_allowed_and_says_so(key: SigningKey | None) -> None:
    data = signed_index(TEXT, key=key)
    found = signed_part(data, keyring=RING, where="here", allow_unsigned=True)
    assert found.signed_by is None
    assert data[found.offset :] == signed_index(TEXT, key=None)


@pytest.mark.parametrize("data", [b"", b"text", b"\x1f\x8b\x08"])
def test_what_is_no_such_file(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        signed_part(data, keyring=RING, where="here")


def test_nothing_but_a_signature() -> None:
    with pytest.raises(ArchiveError, match="nothing but a signature"):
        signed_part(KEY.signature(b""), keyring=RING, where="here")


def test_two_keys_of_one_name() -> None:
    assert (RING | Keyring({OTHER.name: OTHER.public})).keys.keys() == {KEY.name, OTHER.name}
    with pytest.raises(ImageError, match="two different keys"):
        RING | Keyring({KEY.name: OTHER.public})


@pytest.mark.parametrize("pem", [b"", b"no key"])
def test_what_is_no_key(pem: bytes) -> None:
    with pytest.raises(ImageError, match="no public key"):
        signed_part(signed_index(TEXT, key=KEY), keyring=Keyring({KEY.name: pem}), where="here")


def test_the_keys_that_come_with_bootsmith() -> None:
    """The table in the README is that of the files, and no file is unused."""
    folder = resources.files("bootsmith.sources.alpine") / "keys"
    table = (folder / "README.md").read_text()
    rows = dict(re.findall(r"`(alpine-devel@\S+)` \| `([0-9a-f]{64})`", table))
    files = {one.name for one in folder.iterdir() if one.name.endswith(".pub")}
    rings = [alpine_keyring(arch).keys for arch in Arch]
    assert files == set(rows) == set().union(*rings)
    for ring in rings:
        for name, key in ring.items():
            assert fingerprint(key) == rows[name]


def test_a_real_index_is_signed_by_alpine() -> None:
    data = (real_repository() / "x86_64/APKINDEX.tar.gz").read_bytes()
    assert signed_part(data, keyring=alpine_keyring(Arch.X86_64), where="3.19").signed_by
    with pytest.raises(IntegrityError):
        signed_part(data, keyring=alpine_keyring(Arch.AARCH64), where="3.19")

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bootsmith.errors import ArchiveError
from bootsmith.sources.debian.release import Release

HEX = "ab" * 32
MINIMAL = f"Date: Sat, 01 Jan 2022 10:00:00 UTC\nSHA256:\n {HEX} 12 main/binary-amd64/Packages\n"


def release(fields: str = "", *, text: str = MINIMAL) -> Release:
    return Release.parse((fields + text).encode())


def test_fields() -> None:
    found = release(
        "Origin: Debian\nLabel: Debian-Security\nSuite: oldstable-security\nVersion: 12\n"
        "Codename: bookworm-security\nValid-Until: Sat, 08 Jan 2022 10:00:00 UTC\n"
        "Acquire-By-Hash: yes\nArchitectures: amd64 arm64\nComponents: updates/main\n"
    )
    assert (found.origin, found.suite, found.codename) == (
        "Debian",
        "oldstable-security",
        "bookworm-security",
    )
    assert found.date == datetime(2022, 1, 1, 10, tzinfo=UTC)
    assert found.valid_until == datetime(2022, 1, 8, 10, tzinfo=UTC)
    assert found.architectures == ("amd64", "arm64")
    assert found.acquire_by_hash
    descriptor = found.files["main/binary-amd64/Packages"]
    assert (descriptor.digest.hex, descriptor.size_bytes) == (HEX, 12)


def test_what_is_not_said() -> None:
    found = release()
    assert found.valid_until is None
    assert not found.acquire_by_hash
    assert not found.all_is_apart
    assert found.pin == 500


@pytest.mark.parametrize(
    ("fields", "pin"),
    [
        ("NotAutomatic: yes\n", 1),
        ("NotAutomatic: yes\nButAutomaticUpgrades: yes\n", 100),
        ("ButAutomaticUpgrades: yes\n", 500),
    ],
)
def test_priorities(fields: str, pin: int) -> None:
    assert release(fields).pin == pin


@pytest.mark.parametrize(
    ("fields", "apart"),
    [
        ("Architectures: all amd64\n", True),
        ("Architectures: amd64\n", False),
        ("Architectures: all amd64\nNo-Support-for-Architecture-all: Packages\n", False),
    ],
)
def test_where_packages_for_every_architecture_are(fields: str, apart: bool) -> None:
    assert release(fields).all_is_apart is apart


@pytest.mark.parametrize(
    ("name", "is_named"),
    [
        ("oldstable", True),
        ("bookworm", True),
        ("bookworm/", True),
        ("bookworm/updates", True),
        ("bookworm-security", False),
        ("trixie", False),
        ("", False),
    ],
)
def test_names(name: str, is_named: bool) -> None:
    assert release("Suite: oldstable\nCodename: bookworm\n").is_named(name) is is_named


BAD = {
    "nothing": "",
    "no date": f"SHA256:\n {HEX} 12 a\n",
    "no digests": "Date: Sat, 01 Jan 2022 10:00:00 UTC\n",
    "only MD5": "Date: Sat, 01 Jan 2022 10:00:00 UTC\nMD5Sum:\n ab 1 a\n",
    "no date at all": MINIMAL.replace("Sat, 01 Jan 2022 10:00:00 UTC", "yesterday"),
    "no time zone": MINIMAL.replace("UTC", "-0000"),
    "short digest": MINIMAL.replace(HEX, "ab"),
    "upper case digest": MINIMAL.replace(HEX, HEX.upper()),
    "no size": MINIMAL.replace(" 12 ", " "),
    "a size of words": MINIMAL.replace(" 12 ", " twelve "),
    "two digests for one file": MINIMAL + f" {'cd' * 32} 12 main/binary-amd64/Packages\n",
    "two paragraphs": MINIMAL + "\n" + MINIMAL,
    "a web page": "<html></html>",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_malformed(text: str) -> None:
    with pytest.raises(ArchiveError):
        Release.parse(text.encode())

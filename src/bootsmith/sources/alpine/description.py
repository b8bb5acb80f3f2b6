"""What an index says of a package, told by the package itself.

``apk index`` copies ``.PKGINFO`` into the index line by line; so whoever has the file needs no
index to fill apk's database, and a lock need not repeat one.  Only the architecture may differ:
repositories list packages that suit any (``noarch``) under their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootsmith.sources.alpine.apk import Apk
from bootsmith.sources.alpine.package import ApkPackage, show_identity

# Keys of .PKGINFO and the index's letters; of a key that stands twice the last counts.
_SINGLE = {
    "pkgname": "P", "pkgver": "V", "size": "I", "pkgdesc": "T", "url": "U", "license": "L",
    "origin": "o", "maintainer": "m", "builddate": "t", "commit": "c", "provider_priority": "k",
}  # fmt: skip
_LISTS = {"depend": "D", "provides": "p", "install_if": "i"}


def described(apk: Apk, *, arch: str, size_bytes: int, where: str) -> ApkPackage:
    """The package ``apk`` as an index of ``arch`` would describe it; ``size_bytes`` is its file's.

    Raises ``ArchiveError``, about ``where``, when it says something malformed of itself.
    """
    lines = "\n".join(_lines(apk, arch, size_bytes))
    return ApkPackage.from_paragraph(lines, where=where)


def _lines(apk: Apk, arch: str, size_bytes: int) -> Iterator[str]:
    yield f"C:{show_identity(apk.identity)}"
    yield f"A:{arch}"
    yield f"S:{size_bytes}"
    for key, letter in _SINGLE.items():
        if found := apk.control.values.get(key):
            yield f"{letter}:{found[-1]}"
    for key, letter in _LISTS.items():
        if found := apk.control.values.get(key):
            yield f"{letter}:{' '.join(found)}"

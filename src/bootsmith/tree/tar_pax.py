"""The records of pax extended headers (POSIX.1-2017, pax, "pax Extended Header").

A record is ``"<length> <keyword>=<value>\\n"``, its length in decimal and counting itself.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from bootsmith.tree.entry import Xattrs

SCHILY_XATTR = b"SCHILY.xattr."
LIBARCHIVE_XATTR = b"LIBARCHIVE.xattr."
SPARSE_OFFSET, SPARSE_SIZE = b"GNU.sparse.offset", b"GNU.sparse.numbytes"
SPARSE_MAP = b"GNU.sparse.map"
SPARSE_KEYWORDS = frozenset({SPARSE_MAP, b"GNU.sparse.major", b"GNU.sparse.size"})

XATTR_NAME_MAX_BYTES = 255  # XATTR_NAME_MAX of <linux/limits.h>
XATTR_SIZE_MAX_BYTES = 65536  # XATTR_SIZE_MAX

TIME_MAX_NS = 10**27

_TIME = re.compile(rb"(-?)(\d{1,18})(?:\.(\d*))?")
_DECIMAL = re.compile(rb"\d{1,19}")


def parse_records(data: bytes) -> dict[bytes, bytes]:
    """The records in an extended header's data; of one keyword given twice, the last.

    GNU's sparse format 0.0 gives ``GNU.sparse.offset`` and ``.numbytes`` once for each
    stretch of data: they are joined to the ``GNU.sparse.map`` of format 0.1.
    Raises ``ValueError``.
    """
    records: dict[bytes, bytes] = {}
    stretches: list[bytes] = []
    position, end = 0, len(data)
    while position < end:
        space = data.find(b" ", position, position + 20)
        length = decimal(data[position:space]) if space > 0 else 0
        record_end = position + length
        if length <= space - position or record_end > end or data[record_end - 1] != 0x0A:
            if not data[position:].strip(b"\0"):  # padding that some writers count in
                break
            raise ValueError(f"a record of the wrong length: {data[position : position + 40]!r}")
        keyword, equals, value = data[space + 1 : record_end - 1].partition(b"=")
        if not equals or not keyword:
            raise ValueError(f"a record without keyword: {data[position : position + 40]!r}")
        if keyword in (SPARSE_OFFSET, SPARSE_SIZE):
            if (keyword == SPARSE_OFFSET) == bool(len(stretches) % 2):
                raise ValueError("GNU.sparse.offset and GNU.sparse.numbytes do not alternate")
            stretches.append(value)
        records[keyword] = value
        position = record_end
    if stretches:
        records[SPARSE_MAP] = b",".join(stretches)
    return records


def format_records(records: dict[bytes, bytes]) -> bytes:
    """The data of an extended header, sorted by keyword."""
    return b"".join(_record(keyword, records[keyword]) for keyword in sorted(records))


def decimal(text: bytes) -> int:
    """A decimal number without sign.  Raises ``ValueError``."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"not a decimal number: {text[:32]!r}")
    return int(text)


def parse_time(text: bytes) -> int:
    """``[-]seconds[.fraction]`` in nanoseconds; what is finer is cut off towards the past."""
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(f"not a time: {text[:32]!r}")
    sign, seconds, fraction = match.groups(default=b"")
    nanoseconds = int(seconds) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))
    if not sign:
        return nanoseconds
    finer = bool(fraction[9:].strip(b"0"))
    return -nanoseconds - finer


def format_time(time_ns: int) -> bytes:
    """The shortest text that ``parse_time`` reads as ``time_ns``."""
    seconds, nanoseconds = divmod(abs(time_ns), 1_000_000_000)
    text = b"%d.%09d" % (seconds, nanoseconds) if nanoseconds else b"%d" % seconds
    return (b"-" if time_ns < 0 else b"") + (text.rstrip(b"0") if nanoseconds else text)


def xattrs_of(records: dict[bytes, bytes]) -> Xattrs:
    """The extended attributes among pax records, sorted by name.

    ``SCHILY.xattr.`` (star, GNU tar, Go) carries the bytes themselves and wins over
    libarchive's base64.  Raises ``ValueError``.
    """
    found: dict[bytes, bytes] = {}
    for keyword, value in records.items():
        if keyword.startswith(LIBARCHIVE_XATTR):
            name = unquote_to_bytes(keyword[len(LIBARCHIVE_XATTR) :])
            found.setdefault(name, _base64(value))
    for keyword, value in records.items():
        if keyword.startswith(SCHILY_XATTR):
            found[keyword[len(SCHILY_XATTR) :]] = value
    for name, value in found.items():
        if not 0 < len(name) <= XATTR_NAME_MAX_BYTES or b"\0" in name:
            raise ValueError(f"not a name of an extended attribute: {name[:40]!r}")
        if len(value) > XATTR_SIZE_MAX_BYTES:
            raise ValueError(f"the extended attribute {name!r} has {len(value)} bytes")
    return tuple(sorted(found.items()))


def _base64(value: bytes) -> bytes:
    stripped = value.rstrip(b"=")  # libarchive writes no padding
    try:
        return base64.b64decode(stripped + b"=" * (-len(stripped) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {value[:32]!r}") from error


def _record(keyword: bytes, value: bytes) -> bytes:
    rest = len(keyword) + len(value) + 3  # space, equals sign, newline
    length = rest + len(str(rest))
    length = rest + len(str(length))  # its own digits may have carried over
    return b"%d %s=%s\n" % (length, keyword, value)

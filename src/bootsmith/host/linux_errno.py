"""Error numbers as Linux counts them (include/uapi/asm-generic/errno{,-base}.h)."""

from __future__ import annotations

import errno
import sys

_EIO = 5

# Those that file operations give.  The numbers up to 34 are the same everywhere but for EAGAIN.
_LINUX = {
    "EAGAIN": 11,
    "EDEADLK": 35,
    "ENAMETOOLONG": 36,
    "ENOLCK": 37,
    "ENOSYS": 38,
    "ENOTEMPTY": 39,
    "ELOOP": 40,
    "ENODATA": 61,
    "EOVERFLOW": 75,
    "EOPNOTSUPP": 95,
    "ENOTSUP": 95,
    "ETIMEDOUT": 110,
    "ESTALE": 116,
    "EDQUOT": 122,
}
_SAME_EVERYWHERE = frozenset(range(1, 35)) - {11}


def linux_errno(code: int) -> int:
    """The number by which Linux knows this system's error ``code``."""
    if sys.platform.startswith("linux") or code in _SAME_EVERYWHERE:
        return code
    return _LINUX.get(errno.errorcode.get(code, ""), _EIO)

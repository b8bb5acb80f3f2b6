"""The Linux calls a sandbox needs and Python 3.11 has no function for.

Numbers are those of the kernel's headers named beside them.  Every function raises
``OSError`` with the kernel's own errno.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

# <linux/sched.h>
CLONE_NEWNS = 0x0002_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

# <linux/mount.h>
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x4_0000
MS_RELATIME = 0x20_0000
MNT_DETACH = 0x2

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4

# <linux/capability.h>
_CAPABILITY_VERSION_3 = 0x2008_0522
CAP_SYS_ADMIN = 21
CAP_LAST = 63


class _CapabilityHeader(ctypes.Structure):
    """struct __user_cap_header_struct"""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    """struct __user_cap_data_struct; version 3 takes two of them, low word first"""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


assert ctypes.sizeof(_CapabilityHeader) == 8
assert ctypes.sizeof(_CapabilityData) == 12


def unshare(flags: int) -> None:
    """Leave the namespaces in ``flags`` for new ones (unshare(2))."""
    _check(_libc().unshare(ctypes.c_int(flags)))


def mount(
    source: bytes, target: bytes, kind: bytes = b"", flags: int = 0, data: bytes = b""
) -> None:
    """Attach a file system or change an attachment (mount(2))."""
    _check(_libc().mount(source, target, kind, ctypes.c_ulong(flags), data), target)


def unmount(target: bytes, flags: int = 0) -> None:
    """Detach what is mounted at ``target`` (umount2(2))."""
    _check(_libc().umount2(target, ctypes.c_int(flags)), target)


def pivot_root(new_root: bytes, put_old: bytes) -> None:
    """Make ``new_root`` the root of this mount namespace (pivot_root(2))."""
    _check(_libc().syscall(ctypes.c_long(_pivot_root_number()), new_root, put_old), new_root)


def set_host_name(name: bytes) -> None:
    _check(_libc().sethostname(name, ctypes.c_size_t(len(name))))


def die_with_parent(signal_number: int) -> None:
    """Get ``signal_number`` when the thread that made this process ends."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def keep_only_capabilities(kept: frozenset[int]) -> None:
    """Give up every other capability, for this process and all it will execute."""
    for number in range(CAP_LAST + 1):
        if number not in kept:
            try:
                _prctl(_PR_CAPBSET_DROP, number)
            except OSError:  # EINVAL: beyond the last one this kernel has
                break
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)()
    _check(_libc().capget(ctypes.byref(header), data))
    for word in range(2):
        mask = sum(1 << (number - 32 * word) for number in kept if number // 32 == word)
        data[word].effective &= mask
        data[word].permitted &= mask
        data[word].inheritable = 0
    _check(_libc().capset(ctypes.byref(header), data))


def _prctl(option: int, argument: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc().prctl(ctypes.c_int(option), ctypes.c_ulong(argument), zero, zero, zero))


def _pivot_root_number() -> int:
    """``__NR_pivot_root``; the C libraries have no function of that name."""
    return {"x86_64": 155, "aarch64": 41}[os.uname().machine]


def _check(result: int, path: bytes | None = None) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)

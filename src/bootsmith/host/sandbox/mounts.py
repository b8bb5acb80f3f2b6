"""What a program in a sandbox sees: the tree as ``/``, and the few places a kernel provides.

Everything here happens in a mount namespace of its own, so nothing needs to be undone.  The
paths are those of directories and files that exist and lead through no symlink.
"""

# ruff: noqa: PTH102, PTH103, PTH108, PTH110, PTH118, PTH120, PTH211
# Names inside a tree are bytes, which a Path cannot hold.

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from bootsmith.host.sandbox import syscalls

_DEVICES = (b"null", b"zero", b"full", b"random", b"urandom", b"tty")
_LINKS = (
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
    (b"ptmx", b"pts/ptmx"),
)
_KERNEL_SETTINGS = (b"sys", b"sysrq-trigger", b"irq", b"bus", b"fs")

# What statvfs(3) says of a mount (<sys/statvfs.h>; Python knows some only on Linux), and how
# mount(2) is told the same.
_FLAGS = (
    (0x1, syscalls.MS_RDONLY),
    (0x2, syscalls.MS_NOSUID),
    (0x4, syscalls.MS_NODEV),
    (0x8, syscalls.MS_NOEXEC),
    (0x400, syscalls.MS_NOATIME),
    (0x800, syscalls.MS_NODIRATIME),
    (0x1000, syscalls.MS_RELATIME),
)


class ShownFile(NamedTuple):
    """A file a program sees while it runs, and nobody afterwards.

    ``path`` is relative to the tree.  With ``covers``, a file is there that it is mounted
    over; without, it lies in one of the directories that are emptied.
    """

    path: bytes
    content: bytes
    mode: int
    covers: bool


class View(NamedTuple):
    """The places in a tree that something else is seen in, each relative to the tree.

    Where ``tmp`` is ``None``, the tree's own is seen.
    """

    dev: bytes
    proc: bytes
    sys: bytes
    run: bytes
    tmp: bytes | None
    files: Sequence[ShownFile]


def private_mounts() -> None:
    """From here on, what this mount namespace mounts is seen by nobody else."""
    syscalls.mount(b"none", b"/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)


def enter(root: bytes, view: View) -> None:
    """Make the tree at ``root`` the root of this mount namespace.  Raises ``OSError``.

    The host's own file system is in no way reachable afterwards.  Device files in the tree
    itself are inert: only those in ``/dev`` work.
    """
    # A mount point of its own: pivot_root asks for one, and it carries the flags.
    syscalls.mount(root, root, flags=syscalls.MS_BIND)
    _change_flags(root, syscalls.MS_NODEV)
    os.chdir(root)
    _mount_dev(view.dev)
    _mount_proc(view.proc)
    _mount_sys(view.sys)
    tmpfs = syscalls.MS_NOSUID | syscalls.MS_NODEV
    syscalls.mount(b"tmpfs", view.run, b"tmpfs", tmpfs, b"mode=755")
    if view.tmp is not None:
        syscalls.mount(b"tmpfs", view.tmp, b"tmpfs", tmpfs, b"mode=1777")
    for number, shown in enumerate(view.files):
        _show(shown, number, view.run)
    # With both names for one place the old root lies on top of the new one (pivot_root(2)).
    syscalls.pivot_root(b".", b".")
    syscalls.unmount(b".", syscalls.MNT_DETACH)
    os.chdir(b"/")


def _mount_dev(dev: bytes) -> None:
    # 755: with the sticky 1777 of a tmpfs, the kernel refuses `>/dev/null` in a user
    # namespace (fs.protected_regular).
    flags = syscalls.MS_NOSUID | syscalls.MS_NOEXEC
    syscalls.mount(b"tmpfs", dev, b"tmpfs", flags, b"mode=755,size=1m")
    for name in _DEVICES:
        # A user namespace may make no device, but it may show the host's.
        target = os.path.join(dev, name)
        _write_new(target, b"", 0o666)
        syscalls.mount(b"/dev/" + name, target, flags=syscalls.MS_BIND)
    for name, text in _LINKS:
        os.symlink(text, os.path.join(dev, name))
    pts, shm = os.path.join(dev, b"pts"), os.path.join(dev, b"shm")
    os.mkdir(pts, 0o755)
    os.mkdir(shm, 0o755)
    syscalls.mount(b"devpts", pts, b"devpts", flags, b"newinstance,ptmxmode=0666,mode=620,gid=5")
    syscalls.mount(b"tmpfs", shm, b"tmpfs", flags | syscalls.MS_NODEV, b"mode=1777")


def _mount_proc(proc: bytes) -> None:
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount(b"proc", proc, b"proc", flags)
    for name in _KERNEL_SETTINGS:
        # What is here asks only for user 0, which root's sandbox has, and not for a capability.
        path = os.path.join(proc, name)
        if os.path.exists(path):
            syscalls.mount(path, path, flags=syscalls.MS_BIND | syscalls.MS_REC)
            _change_flags(path, flags | syscalls.MS_RDONLY)


def _mount_sys(sys: bytes) -> None:
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    try:
        syscalls.mount(b"sysfs", sys, b"sysfs", flags | syscalls.MS_RDONLY)
    except PermissionError:
        # The network namespace is the host's, which only its own user namespace may show.
        syscalls.mount(b"/sys", sys, flags=syscalls.MS_BIND | syscalls.MS_REC)
        _change_flags(sys, flags | syscalls.MS_RDONLY)


def _show(shown: ShownFile, number: int, run: bytes) -> None:
    if not shown.covers:
        os.makedirs(os.path.dirname(shown.path), exist_ok=True)
        _write_new(shown.path, shown.content, shown.mode)
        return
    # The file that is mounted lives on a tmpfs; its name there is not needed for long.
    spare = os.path.join(run, b".shown-%d" % number)
    _write_new(spare, shown.content, shown.mode)
    syscalls.mount(spare, shown.path, flags=syscalls.MS_BIND)
    os.unlink(spare)


def _write_new(path: bytes, content: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(fd, mode)
        os.write(fd, content)
    finally:
        os.close(fd)


def _change_flags(target: bytes, flags: int) -> None:
    """Give the mount at ``target`` other flags, keeping those that a user namespace must keep."""
    present = os.statvfs(target).f_flag
    kept = sum(flag for bit, flag in _FLAGS if present & bit)
    syscalls.mount(b"none", target, flags=syscalls.MS_REMOUNT | syscalls.MS_BIND | kept | flags)

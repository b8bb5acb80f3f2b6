"""The process that keeps a sandbox: it makes the tree, has the commands run, and cleans up.

It is a fresh interpreter rather than a fork of bootsmith, because a process with threads must
not be forked.  It owns the sandbox's user and mount namespaces, and outlives whatever happens
inside and outside: when bootsmith goes away (killed, Ctrl-C), the channel ends, it kills the
commands and removes the tree, which holds files that an ordinary user could not remove.

::

    bootsmith ─socket─ keeper           user namespace, mount namespace of its own
                         └─ init        pid, ipc, uts, net namespaces; the tree is its root
                              └─ commands
"""

# ruff: noqa: PTH102, PTH116, PTH118, PTH120
# Names inside a tree are bytes, which a Path cannot hold.

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import NoReturn

from bootsmith.host.sandbox import capture, mounts, syscalls
from bootsmith.host.sandbox.comparison import Snapshot
from bootsmith.host.sandbox.init import CommandRunner, kill_by_root
from bootsmith.host.sandbox.materialise import Materialiser
from bootsmith.host.sandbox.messages import (
    Captured,
    Disconnected,
    Mapped,
    Plan,
    SetUp,
    SetUpFailed,
    WantsMapping,
    receive,
    send,
)
from bootsmith.host.sandbox.removal import remove_tree

_SHOWN_CHARACTERS = 200
_SIOCSIFFLAGS = 0x8914  # <linux/sockios.h>
_IFF_UP = 0x1  # <linux/if.h>
_IFREQ = struct.Struct("16sh22x")  # struct ifreq: ifr_name, ifr_flags
assert _IFREQ.size == 40


def main(channel_fd: int, content_fd: int) -> NoReturn:
    """Keep one sandbox, as the ``Plan`` that comes first on the channel says."""
    status = 1
    try:
        os.umask(0o022)
        channel = socket.socket(fileno=channel_fd)
        plan = receive(channel)
        assert isinstance(plan, Plan)
        _Keeper(plan, channel, content_fd).run()
        status = 0
    except (Disconnected, KeyboardInterrupt):
        pass
    except BaseException:  # noqa: BLE001  (nothing is above this frame that may see it)
        sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
    os._exit(status)  # bootsmith waits: the interpreter is not taken apart first


class _Keeper:
    def __init__(self, plan: Plan, channel: socket.socket, content_fd: int) -> None:
        self._plan = plan
        self._channel = channel
        self._content_fd = content_fd
        self._root = os.path.join(plan.folder, b"root")

    def run(self) -> None:
        if not self._try("user namespace", self._enter_user_namespace):
            return
        try:
            self._keep()
        finally:
            # Here and not in bootsmith: only this namespace owns all the files, and bootsmith
            # may be gone.
            if self._plan.memory_bytes:
                with contextlib.suppress(OSError):
                    syscalls.unmount(self._plan.folder, syscalls.MNT_DETACH)
            remove_tree(os.path.dirname(self._plan.folder))

    def _keep(self) -> None:
        plan = self._plan
        if plan.memory_bytes and not self._try("memory", self._mount_memory):
            return
        materialiser = Materialiser(self._root, plan.sources)
        if not self._try("folder", lambda: self._make(materialiser)):
            return
        before = capture.look(self._root, excluded=plan.excluded)
        capture.wait_for_next_tick()
        if not self._try("namespaces", self._leave_namespaces) or not self._run_commands():
            return
        self._try("capture", lambda: self._capture(before, materialiser))
        for folder in plan.leftovers:
            remove_tree(folder)

    def _capture(self, before: Snapshot, materialiser: Materialiser) -> None:
        after = capture.look(self._root, excluded=self._plan.excluded)
        found = capture.difference(
            self._root,
            before,
            after,
            ignored={*self._plan.ignored, *materialiser.left_out},
            content=self._content_fd,
        )
        changed = [
            # What could not be put on the file is still on it, if it is the same file.
            record._replace(xattrs=tuple(sorted({*record.xattrs, *unset})))
            if (unset := materialiser.unset.get(record.path))
            and before[record.path].inode == after[record.path].inode
            else record
            for record in found.changed
        ]
        send(self._channel, Captured(changed, found.removed))

    def _enter_user_namespace(self) -> None:
        if self._plan.kind != "subuid":
            return
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        send(self._channel, WantsMapping(os.getpid()))
        assert isinstance(receive(self._channel), Mapped)

    def _mount_memory(self) -> None:
        """Files in memory: no disk is waited for, and they are gone with the namespace."""
        syscalls.unshare(syscalls.CLONE_NEWNS)
        mounts.private_mounts()
        options = b"mode=755,nr_inodes=0,size=%d" % self._plan.memory_bytes
        syscalls.mount(b"tmpfs", self._plan.folder, b"tmpfs", syscalls.MS_NODEV, options)

    def _make(self, materialiser: Materialiser) -> None:
        os.mkdir(self._root, 0o755)
        materialiser.make(self._plan.records)
        if self._plan.kind == "chroot" and materialiser.left_out:
            path = min(materialiser.left_out)
            raise PermissionError(errno.EPERM, "devices may not be made here", path)

    def _leave_namespaces(self) -> None:
        if self._plan.kind == "chroot":
            return
        flags = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
        if not self._plan.network:
            flags |= syscalls.CLONE_NEWNET
        syscalls.unshare(flags)
        syscalls.set_host_name(self._plan.host_name)
        if not self._plan.network:
            _loopback_up()

    def _run_commands(self) -> bool:
        """Whether all ended well."""
        root = os.stat(self._root)
        pid = os.fork()
        if pid == 0:
            self._be_init()
        poll = select.poll()
        init = os.pidfd_open(pid)
        poll.register(init, select.POLLIN)
        poll.register(self._channel, select.POLLRDHUP | select.POLLHUP)
        ready = {fd for fd, _ in poll.poll()}
        if init not in ready:  # bootsmith went away
            os.kill(pid, signal.SIGKILL)
        os.close(init)
        _, status = os.waitpid(pid, 0)
        if self._plan.kind == "chroot":  # no namespace ended with process 1
            kill_by_root(root)
        return os.waitstatus_to_exitcode(status) == 0

    def _be_init(self) -> NoReturn:
        status = 1
        try:
            syscalls.die_with_parent(signal.SIGKILL)
            _close_all_but(self._channel.fileno())
            if self._plan.kind == "chroot":
                syscalls.adopt_orphans()
                runner = CommandRunner(self._channel, chroot=self._root)
            elif self._try("mounts", self._enter):
                runner = CommandRunner(self._channel)
            else:
                os._exit(1)
            send(self._channel, SetUp())
            ended_well = all(
                runner.run(number, command) for number, command in enumerate(self._plan.commands)
            )
            status = 0 if ended_well else 1
        except Disconnected:
            pass
        except BaseException:  # noqa: BLE001  (nothing is above this frame that may see it)
            sys.excepthook(*sys.exc_info())
        os._exit(status)

    def _enter(self) -> None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        mounts.private_mounts()
        mounts.enter(self._root, self._plan.view)

    def _try(self, stage: str, action: Callable[[], None]) -> bool:
        """Do ``action``; when the system refuses, tell bootsmith and be false."""
        try:
            action()
        except OSError as error:
            where = f": {_shown(error.filename)}" if error.filename else ""
            reason = f"{error.strerror or error}{where}"
            send(self._channel, SetUpFailed(stage, error.errno or 0, reason))
            return False
        return True


def _shown(path: str | bytes) -> str:
    """``path``, cut short: one that is too long may be what is told of."""
    text = os.fsdecode(path)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _close_all_but(kept: int) -> None:
    """What the keeper holds is no business of process 1; standard error stays, for mistakes."""
    os.closerange(3, kept)
    os.closerange(kept + 1, 1 << 16)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as inet:
        fcntl.ioctl(inet, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", _IFF_UP))

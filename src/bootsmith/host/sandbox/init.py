"""The first process inside a sandbox: it runs the commands, one after the other.

As process 1 of its namespace it adopts every process whose parent ended, and when it ends the
kernel kills what is left.  Nothing may be imported once ``enter`` has changed the root: from
then on the file system is the guest's.
"""

# ruff: noqa: PTH116, PTH123, PTH208
# Names inside a tree are bytes, which a Path cannot hold.

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import struct
import time
from typing import NoReturn

from bootsmith.host.sandbox import syscalls
from bootsmith.host.sandbox.messages import CannotStart, Command, Ended, Output, send

_READ_BYTES = 64 << 10
_ERRNO = struct.Struct("=i")
_DRAIN_MS = 1000
_MOST_FILES = 1 << 16

# capability(7): what package scripts need to make files, owners and users, and no more.  In
# particular nothing that reaches the kernel, a disk, the network's wire or another process's
# memory; nor CAP_DAC_READ_SEARCH, with which open_by_handle_at(2) finds files outside.
KEPT_CAPABILITIES = frozenset(
    {
        0,  # CAP_CHOWN
        1,  # CAP_DAC_OVERRIDE
        3,  # CAP_FOWNER
        4,  # CAP_FSETID
        5,  # CAP_KILL
        6,  # CAP_SETGID
        7,  # CAP_SETUID
        8,  # CAP_SETPCAP
        10,  # CAP_NET_BIND_SERVICE
        18,  # CAP_SYS_CHROOT
        27,  # CAP_MKNOD: a device made is data, the root is mounted nodev
        29,  # CAP_AUDIT_WRITE
        31,  # CAP_SETFCAP
    }
)


class CommandRunner:
    """Runs commands and tells ``channel`` what they print and how they end.

    With ``chroot`` this process stays outside, and the commands have that folder as their root;
    without, it is process 1 of the sandbox and every other process it sees belongs to it.
    """

    def __init__(self, channel: socket.socket, *, chroot: bytes | None = None) -> None:
        self._channel = channel
        self._chroot = chroot
        self._root = os.stat(chroot or b"/")
        self._wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python's handler would end process 1

    def run(self, number: int, command: Command) -> bool:
        """Run one command to its end, with all it leaves behind; whether it ended well."""
        output, output_write = os.pipe2(os.O_CLOEXEC)
        failure, failure_write = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            _become(command, self._chroot, output_write, failure_write)
        os.close(output_write)
        os.close(failure_write)
        status = self._watch(number, pid, output)
        self._end_the_rest(number, output)
        os.close(output)
        refused = os.read(failure, _ERRNO.size)
        os.close(failure)
        if refused:
            send(self._channel, _cannot_start(number, command, _ERRNO.unpack(refused)[0]))
            return False
        send(self._channel, Ended(number, status))
        return status == 0

    def _watch(self, number: int, pid: int, output: int) -> int:
        """Pass on what is printed until process ``pid`` ends; its status."""
        poll = select.poll()
        poll.register(output, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if output in ready and not self._pass_on(number, output):
                poll.unregister(output)  # closed by all, though not all have ended
            if self._wake_read in ready:
                os.read(self._wake_read, _READ_BYTES)
                status = _reap(pid)
                if status is not None:
                    return status

    def _pass_on(self, number: int, output: int) -> bool:
        data = os.read(output, _READ_BYTES)
        if data:
            send(self._channel, Output(number, data))
        return bool(data)

    def _end_the_rest(self, number: int, output: int) -> None:
        """Kill what the command left running, and pass on the last it printed."""
        if self._chroot is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.wait()
        else:
            kill_by_root(self._root)
            _reap(0)
        poll = select.poll()
        poll.register(output, select.POLLIN)
        # Every writer is dead, so the pipe ends; the limit is for a plain chroot, where a
        # process may have escaped notice.
        while poll.poll(_DRAIN_MS) and self._pass_on(number, output):
            pass


def _become(command: Command, chroot: bytes | None, output: int, failure: int) -> NoReturn:
    try:
        if chroot is not None:
            os.chroot(chroot)
        os.setsid()
        syscalls.die_with_parent(signal.SIGKILL)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        # Nothing else is inherited: an open folder would lead around any change of the root.
        os.closerange(3, failure)
        os.closerange(failure + 1, _MOST_FILES)
        # Python ignores these; a shell's `yes | head` counts on them.
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o022)
        os.setgroups([])
        os.chdir(command.cwd)
        syscalls.keep_only_capabilities(KEPT_CAPABILITIES)
        os.execvpe(command.argv[0], list(command.argv), command.env)  # noqa: S606  (argv is the job)
    except OSError as error:
        os.write(failure, _ERRNO.pack(error.errno or errno.EIO))
    finally:
        os._exit(127)


def _reap(wanted: int) -> int | None:
    """Take every ended process off the kernel's table; the status of ``wanted`` if it is one."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == wanted:
                code = os.waitstatus_to_exitcode(status)
                found = code if code >= 0 else 128 - code
    return found


def kill_by_root(root: os.stat_result) -> None:
    """Kill every process that has ``root`` as its root directory, until there is none.

    The directory is told by its number, so that they are found when it is removed, too.
    """
    while victims := [pid for pid in _processes() if _is_alive_below(pid, root)]:
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _is_alive_below(pid: int, root: os.stat_result) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read().rpartition(b") ")[2][:1]
        return state not in b"ZX" and os.path.samestat(os.stat(f"/proc/{pid}/root"), root)
    except OSError:  # it has ended meanwhile, or is a process of the kernel
        return False


def _cannot_start(number: int, command: Command, code: int) -> CannotStart:
    return CannotStart(number, code, os.strerror(code))

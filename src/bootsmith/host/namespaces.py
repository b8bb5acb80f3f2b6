"""What this machine lets us isolate, found out by trying.

A sysctl or a file in ``/etc`` is no evidence: a seccomp profile, an AppArmor rule or the masked
``/proc`` of a container may still forbid it.  The trial is a real sandbox that runs nothing;
the sysctls only serve to explain why it failed.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple, TypeAlias

from bootsmith.errors import HostError
from bootsmith.host.sandbox.inode_record import InodeRecord
from bootsmith.host.sandbox.messages import Captured, Plan, SetUpFailed
from bootsmith.host.sandbox.mounts import View
from bootsmith.host.sandbox.process import SandboxProcess
from bootsmith.host.sandbox.syscalls import CAP_SYS_ADMIN

SandboxKind: TypeAlias = Literal["root", "subuid", "chroot"]

_TRIAL_BYTES = 16 << 20
_TRYING = Lock()
_PLACES = (b"dev", b"proc", b"sys", b"run", b"tmp")
_SETTINGS = Path("/proc/sys")
_IN_CONTAINER = (
    "run it as root there, or start the container with "
    "--security-opt seccomp=unconfined --security-opt systempaths=unconfined"
)


class NamespaceSupport(NamedTuple):
    """How commands of a guest can be run on this machine.

    - ``root``: namespaces made by root;
    - ``subuid``: a user namespace with the subordinate ids of an ordinary user;
    - ``chroot``: root of a container that may not mount; the commands see its processes;
    - ``none``: not at all.

    ``reason`` says why nothing better, and ``fix`` what would change it; both are empty where
    nothing is missing.
    """

    kind: SandboxKind | Literal["none"]
    reason: str = ""
    fix: str = ""


def namespace_support() -> NamespaceSupport:
    """The best that works here; tried once a process, which takes a tenth of a second.

    Who asks while it is being tried waits for the result.
    """
    with _TRYING:
        return _tried_support()


@cache
def _tried_support() -> NamespaceSupport:
    if not sys.platform.startswith("linux"):
        return NamespaceSupport(
            "none", "the programs of a guest need a Linux kernel", "build on a Linux machine"
        )
    if os.geteuid() != 0:
        problem = try_kind("subuid")
        return NamespaceSupport("none", *problem) if problem else NamespaceSupport("subuid")
    if has_capability(CAP_SYS_ADMIN):
        problem = try_kind("root")
        if problem is None:
            return NamespaceSupport("root")
    else:
        problem = _Problem(
            "root has no CAP_SYS_ADMIN here, as in an ordinary container",
            "start the container with --cap-add SYS_ADMIN, or build as an ordinary user outside",
        )
    if worse := try_kind("chroot"):
        return NamespaceSupport("none", f"{problem.reason}; {worse.reason}", problem.fix)
    return NamespaceSupport("chroot", *problem)


class _Problem(NamedTuple):
    reason: str
    fix: str


def try_kind(kind: SandboxKind) -> _Problem | None:
    """Set up an empty sandbox; what went wrong, if anything did."""
    try:
        with SandboxProcess(Path(tempfile.gettempdir())) as process:
            for message in process.run(_trial(kind, process.folder)):
                if isinstance(message, SetUpFailed):
                    return _explain(message)
                if isinstance(message, Captured):
                    return None
            return _Problem(f"a trial ended unexpectedly: {process.complaint()}", "report this")
    except HostError as error:
        return _Problem(str(error), error.hint or "")


def has_capability(number: int) -> bool:
    """Whether this process may use a capability (capability(7)) now."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _trial(kind: SandboxKind, folder: Path) -> Plan:
    null = InodeRecord(path=b"dev/null", mode=stat.S_IFCHR | 0o666, device=os.makedev(1, 3))
    paths = (b"", *_PLACES)
    return Plan(
        kind=kind,
        folder=bytes(folder / "tree"),
        memory_bytes=0 if kind == "chroot" else _TRIAL_BYTES,
        network=False,
        host_name=b"localhost",
        records=[
            *(InodeRecord(path=path, mode=stat.S_IFDIR | 0o755) for path in paths),
            *([null] if kind == "chroot" else []),
        ],
        sources=[],
        view=View(*_PLACES, files=()),
        ignored=[],
        excluded=_PLACES,
        commands=[],
    )


def _explain(failure: SetUpFailed) -> _Problem:
    """Why the kernel may have refused, by what it says about itself."""
    reason = f"the kernel refuses a sandbox ({failure.stage}: {failure.reason})"
    if failure.errno not in (errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS):
        return _Problem(reason, "report this")
    for file, value, fix in (
        (
            _SETTINGS / "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "let root run: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            _SETTINGS / "kernel/unprivileged_userns_clone",
            "0",
            "let root run: sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            _SETTINGS / "user/max_user_namespaces",
            "0",
            "let root run: sysctl -w user.max_user_namespaces=65536",
        ),
    ):
        if _says(file, value):
            return _Problem(f"{reason}; {file} is {value}", fix)
    return _Problem(f"{reason}, as the seccomp profile of a container does", _IN_CONTAINER)


def _says(file: Path, value: str) -> bool:
    try:
        return file.read_text(encoding="ascii").strip() == value
    except OSError:
        return False

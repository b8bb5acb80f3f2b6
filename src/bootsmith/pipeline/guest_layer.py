"""The guest layer: what bootsmith itself adds to a root file system."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import ConfigError, ImageError, Problem
from bootsmith.host.guest_files import AGENT_NAMES, GUEST_PROGRAM
from bootsmith.model.guest_path import guest_path
from bootsmith.model.reporter import Reporter
from bootsmith.pipeline.guest_programs import GuestFiles
from bootsmith.pipeline.own_places import ENVIRONMENT, EXTRA_INIT, INIT, SSHD_OPTIONS, replaced
from bootsmith.pipeline.request import BuildRequest
from bootsmith.tree.entry import (
    BlobSlice,
    Directory,
    Entry,
    InlineBytes,
    Member,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, overlay, with_parents

_SSHD_SCRIPT = "usr/lib/bootsmith/sshd.sh"
_BEHIND_THE_SCRIPT = "usr/lib/bootsmith/sandboxd"
_AGENT = "sandboxd"
_BILLION = 1_000_000_000


def add_guest(
    tree: FileTree,
    guest: GuestFiles,
    request: BuildRequest,
    *,
    epoch_s: int,
    reporter: Reporter,
) -> FileTree:
    """``tree`` with the agent, the init and what they read; the time of all is ``epoch_s``.

    A path of ours that leads through a link of the image is followed inside the image.  Raises
    ``ImageError`` when the config asks for what the image has no program for.
    """
    _require_programs(tree, request.config)
    for path, advice in replaced(tree):
        reporter.warning(f"{path} of the image is replaced by bootsmith's: {advice}")
    time = epoch_s * _BILLION
    program = Metadata(0o755, mtime_ns=time)
    plain = Metadata(0o644, mtime_ns=time)
    config = request.config
    entries: dict[str, Entry] = {
        GUEST_PROGRAM: RegularFile(program, guest.agent),
        INIT: RegularFile(program, _init(tree, guest)),
        _SSHD_SCRIPT: RegularFile(program, guest.scripts["sshd"]),
        "etc/hostname": RegularFile(plain, InlineBytes(f"{config.hostname}\n".encode())),
        ENVIRONMENT: RegularFile(plain, InlineBytes(_assignments(config.env))),
    }
    if guest.extra_init is not None:
        entries[EXTRA_INIT] = RegularFile(program, guest.extra_init)
    if config.ssh is not None:
        entries[SSHD_OPTIONS] = RegularFile(plain, InlineBytes(sshd_options(config).encode()))
    for name in AGENT_NAMES:
        entries[f"usr/bin/{name}"] = _agent(name, guest, time)
    if guest.own_init is not None and (config.env or guest.extra_init):
        entries[_BEHIND_THE_SCRIPT] = entries[f"usr/bin/{_AGENT}"]
        entries[f"usr/bin/{_AGENT}"] = RegularFile(program, guest.scripts["agent"])
    members = [Member(guest_path(path), entry) for path, entry in sorted(entries.items())]
    folder = Directory(Metadata(0o755, mtime_ns=time))
    return overlay(tree, with_parents(tree, Layer(tuple(members)), folder))


def _require_programs(tree: FileTree, config: BuildConfig) -> None:
    """Raises ``ImageError`` when the config asks for a program that the image does not have."""
    if config.ssh is not None and not _has(tree, "/usr/sbin/sshd"):
        raise ImageError(
            "ssh is asked for, and the image has no /usr/sbin/sshd",
            hint="add openssh-server to debian.packages or alpine.rootfsPackages",
        )
    for user in config.users:
        if user.shell is not None and not _has(tree, user.shell):
            raise ImageError(
                f"the shell of the user {user.name}, {user.shell}, is not in the image",
                hint="add its package, or name another in users[].shell",
            )
    wants_shell = config.init.rootfs_init_extra or (config.init.rootfs_init and config.env)
    if wants_shell and not _has(tree, "/bin/sh"):
        problem = Problem(
            pointer="init", message="a script before the agent needs /bin/sh, which is not there"
        )
        raise ConfigError("the image cannot do what init asks", problems=(problem,))


def _has(tree: FileTree, path: str) -> bool:
    return tree.resolve(guest_path(path)) is not None


def _init(tree: FileTree, guest: GuestFiles) -> BlobSlice:
    """The user's; else our script, or in an image without a shell the agent, which knows how."""
    if guest.own_init is not None:
        return guest.own_init
    return guest.rootfs_init if _has(tree, "/bin/sh") else guest.agent


def _agent(name: str, guest: GuestFiles, time: int) -> Entry:
    if name in guest.programs:
        return RegularFile(Metadata(0o755, mtime_ns=time), guest.programs[name])
    return Symlink(Metadata(0o777, mtime_ns=time), f"/{GUEST_PROGRAM}".encode())


def sshd_options(config: BuildConfig) -> str:
    """What our init starts sshd with: the port, and passwords where there are some."""
    assert config.ssh is not None
    options = [f"-p {config.ssh.port}"]
    if config.ssh.password_hash:
        options.append("-o PermitRootLogin=yes")
    if config.ssh.password_hash or any(user.password_hash for user in config.users):
        options.append("-o PasswordAuthentication=yes")
    return "".join(f"{option}\n" for option in options)


def _assignments(env: Mapping[str, str]) -> bytes:
    """The image's own environment, as assignments that a shell reads."""
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in sorted(env.items())]
    return "".join(lines).encode()

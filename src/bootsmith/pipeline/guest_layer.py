"""The guest layer: what bootsmith itself adds to a root file system."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bootsmith.config.build_config import InitConfig
from bootsmith.errors import ConfigError, HostError, Problem
from bootsmith.host.files import FileSource, iter_file, user_path
from bootsmith.host.guest_files import AGENT_NAMES, GUEST_PROGRAM, agent_binary, init_script
from bootsmith.model.canonical_json import digest_of
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import guest_path
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench
from bootsmith.store.blobs import Store
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

_ENVIRONMENT = "etc/bootsmith/env"
_SSHD = "usr/lib/bootsmith/sshd.sh"
_EXTRA_INIT = "etc/bootsmith/init-extra.sh"
_BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFiles:
    """Contents by what they are for; ``extra_init`` is the user's own script, if any."""

    agent: BlobSlice
    initramfs_init: BlobSlice
    rootfs_init: BlobSlice
    sshd: BlobSlice
    extra_init: BlobSlice | None

    @property
    def digest(self) -> Digest:
        """What the plan calls them."""
        contents = (
            self.agent, self.initramfs_init, self.rootfs_init, self.sshd, self.extra_init,
        )  # fmt: skip
        return digest_of([str(content.blob) if content else None for content in contents])


def guest_files(request: BuildRequest, bench: Workbench) -> GuestFiles:
    """Bring the agent and the init scripts, ours or the user's, into the store.

    Raises ``ToolMissing`` when the agent must be compiled and cannot be, ``ConfigError`` when
    a script named in the config cannot be read.
    """
    init = request.config.init
    agent = _keep(agent_binary(request.arch), bench.store)
    own_init = init_script("rootfs-init.sh")
    return GuestFiles(
        agent=agent,
        initramfs_init=_users(init, "initramfs_init", bench) or agent,
        rootfs_init=_users(init, "rootfs_init", bench) or _keep(own_init, bench.store),
        sshd=_keep(init_script("sshd.sh"), bench.store),
        extra_init=_users(init, "rootfs_init_extra", bench),
    )


def add_guest(
    tree: FileTree, guest: GuestFiles, request: BuildRequest, *, epoch_s: int
) -> FileTree:
    """``tree`` with the agent, the init and what they read; the time of all is ``epoch_s``.

    A path of ours that leads through a link of the image is followed inside the image.
    """
    time = epoch_s * _BILLION
    program = Metadata(0o755, mtime_ns=time)
    plain = Metadata(0o644, mtime_ns=time)
    config = request.config
    entries: dict[str, Entry] = {
        GUEST_PROGRAM: RegularFile(program, guest.agent),
        "init": RegularFile(program, guest.rootfs_init),
        _SSHD: RegularFile(program, guest.sshd),
        "etc/hostname": RegularFile(plain, InlineBytes(f"{config.hostname}\n".encode())),
        _ENVIRONMENT: RegularFile(plain, InlineBytes(_assignments(config.env))),
    }
    if guest.extra_init is not None:
        entries[_EXTRA_INIT] = RegularFile(program, guest.extra_init)
    for name in AGENT_NAMES:
        entries[f"usr/bin/{name}"] = Symlink(
            Metadata(0o777, mtime_ns=time), f"/{GUEST_PROGRAM}".encode()
        )
    members = [Member(guest_path(path), entry) for path, entry in sorted(entries.items())]
    folder = Directory(Metadata(0o755, mtime_ns=time))
    return overlay(tree, with_parents(tree, Layer(tuple(members)), folder))


def _assignments(env: Mapping[str, str]) -> bytes:
    """The image's own environment, as assignments that a shell reads."""
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in sorted(env.items())]
    return "".join(lines).encode()


def _users(init: InitConfig, field: str, bench: Workbench) -> BlobSlice | None:
    named = getattr(init, field)
    if named is None:
        return None
    try:
        return _keep(user_path(named, base=bench.files), bench.store)
    except HostError as error:
        pointer = type(init).model_fields[field].alias or field
        raise ConfigError(
            "an init script cannot be read",
            problems=(Problem(pointer=f"init.{pointer}", message=str(error)),),
        ) from error


def _keep(path: Path, store: Store) -> BlobSlice:
    with FileSource(path) as source:
        kept = store.add_blob(iter_file(source))
    return BlobSlice(kept.digest, 0, kept.size_bytes)

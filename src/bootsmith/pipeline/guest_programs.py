"""The programs and scripts of the guest layer: ours, or the user's in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import ArchiveError, ConfigError, HostError, Problem
from bootsmith.host.files import FileSource, iter_file, user_path
from bootsmith.host.guest_files import AGENT_NAMES, agent_binary, init_script
from bootsmith.image.elf import ElfFile
from bootsmith.model.arch import Arch
from bootsmith.model.canonical_json import digest_of
from bootsmith.model.digest import Digest
from bootsmith.model.streams import BlobSource
from bootsmith.pipeline.request import BuildRequest
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import BlobSlice

_SCRIPTS = {"sshd": "sshd.sh", "agent": "agent.sh"}
_SCRIPT = b"#!"
_PROGRAM_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFiles:
    """Contents by what they are for.

    ``own_init``, ``own_initramfs_init`` and ``extra_init`` are the user's, if any; ``programs``
    are the user's by the agent's name that they take.
    """

    agent: BlobSlice
    scripts: Mapping[str, BlobSlice]
    rootfs_init: BlobSlice
    own_init: BlobSlice | None
    own_initramfs_init: BlobSlice | None
    extra_init: BlobSlice | None
    programs: Mapping[str, BlobSlice]

    @property
    def initramfs_init(self) -> BlobSlice:
        return self.own_initramfs_init or self.agent

    @property
    def digest(self) -> Digest:
        """What the plan calls them."""
        alone = (self.agent, self.rootfs_init, self.own_init, self.own_initramfs_init,
                 self.extra_init)  # fmt: skip
        return digest_of(
            {
                "files": [str(content.blob) if content else None for content in alone],
                "scripts": {name: str(one.blob) for name, one in self.scripts.items()},
                "programs": {name: str(one.blob) for name, one in self.programs.items()},
            }
        )


def guest_files(request: BuildRequest, *, store: Store, base: Path) -> GuestFiles:
    """Bring the agent, the init scripts and the user's own into ``store``.

    ``base`` is the folder that relative paths are relative to.  Raises ``ToolMissing`` when the
    agent must be compiled and cannot be, ``ConfigError`` that names every program and script of
    the config that cannot be used.
    """
    config = request.config
    problems: list[Problem] = []
    users = {
        key: _users(key, path, store, base, problems)
        for key, path in _named(config)
        if path is not None
    }
    problems += _initramfs_init_problems(users.get("init.initramfsInit"), config, store)
    for name in AGENT_NAMES:
        key = f"{name}Path"
        if content := users.get(key):
            problems += _program_problems(key, content, request.arch, store)
    if problems:
        raise ConfigError(
            "a program or script of the config cannot be used", problems=tuple(problems)
        )
    return GuestFiles(
        agent=_keep(agent_binary(request.arch), store),
        scripts={key: _keep(init_script(name), store) for key, name in _SCRIPTS.items()},
        rootfs_init=_keep(init_script("rootfs-init.sh"), store),
        own_init=users.get("init.rootfsInit"),
        own_initramfs_init=users.get("init.initramfsInit"),
        extra_init=users.get("init.rootfsInitExtra"),
        programs={name: content for name in AGENT_NAMES if (content := users.get(f"{name}Path"))},
    )


def _named(config: BuildConfig) -> tuple[tuple[str, str | None], ...]:
    """Every field that names a program or script of the guest layer."""
    return (
        ("init.rootfsInit", config.init.rootfs_init),
        ("init.initramfsInit", config.init.initramfs_init),
        ("init.rootfsInitExtra", config.init.rootfs_init_extra),
        ("sandboxdPath", config.sandboxd_path),
        ("sandboxfsPath", config.sandboxfs_path),
        ("sandboxsshPath", config.sandboxssh_path),
        ("sandboxingressPath", config.sandboxingress_path),
    )


def _users(
    key: str, path: str, store: Store, base: Path, problems: list[Problem]
) -> BlobSlice | None:
    try:
        kept = _keep(user_path(path, base=base), store)
    except HostError as error:
        problems.append(Problem(pointer=key, message=str(error)))
        return None
    if not kept.size_bytes:
        problems.append(Problem(pointer=key, message=f"{path} is empty"))
    return kept


def _initramfs_init_problems(
    content: BlobSlice | None, config: BuildConfig, blobs: BlobSource
) -> Iterator[Problem]:
    """A script needs a shell; the initramfs has none but that of ``alpine.initramfsPackages``."""
    if content is None or blobs.open_blob(content.blob).read_at(0, 2) != _SCRIPT:
        return
    if config.distro == "alpine" and config.alpine.initramfs_packages:
        return
    yield Problem(
        pointer="init.initramfsInit",
        message="is a script, and the initramfs has no shell to read it",
        suggestion="add busybox to alpine.initramfsPackages"
        if config.distro == "alpine"
        else "give a static program",
    )


def _program_problems(key: str, content: BlobSlice, arch: Arch, blobs: BlobSource) -> list[Problem]:
    """What keeps ``content`` from being a program of ``arch``."""
    try:
        machine = ElfFile(
            read_content(content, blobs=blobs, most_bytes=_PROGRAM_MOST_BYTES)
        ).machine
    except ArchiveError as error:
        return [Problem(pointer=key, message=f"is not a program: {error}")]
    if machine != arch.elf_machine:
        built_for = next((str(one) for one in Arch if one.elf_machine == machine), "another one")
        message = f"is a program for {built_for}, and the image is for {arch}"
        return [Problem(pointer=key, message=message)]
    return []


def _keep(path: Path, store: Store) -> BlobSlice:
    with FileSource(path) as source:
        kept = store.add_blob(iter_file(source))
    return BlobSlice(kept.digest, 0, kept.size_bytes)

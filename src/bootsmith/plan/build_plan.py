"""The plan: what a build does, step by step, each step named by all that decides its result.

A step's id is the digest of its own canonical JSON and of the id before it, so equal ids
mean equal trees, and a change at the end leaves the ids before it as they were.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from bootsmith.model.arch import Arch
from bootsmith.model.canonical_json import Json, digest_of
from bootsmith.model.digest import Digest

_NAMESPACE = uuid.UUID("0f2b4f0e-5b8e-5d52-9d5e-3a1f2f6f7c11")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPackages:
    """Unpack package files by their distribution's rules, in their order, and configure them.

    ``sources`` are the repositories that the package manager will know in the guest, ``world``
    what it will think was asked for, ``keys`` those it trusts besides the packages' own;
    ``hostname`` is what scripts find the machine called, and ``minirootfs`` the archive of the
    tree that they are unpacked on top of, if it is not an empty one.
    """

    distro: str
    packages: tuple[Digest, ...]
    sources: tuple[str, ...] = ()
    world: tuple[str, ...] = ()
    keys: tuple[Digest, ...] = ()
    hostname: str = "localhost"
    minirootfs: Digest | None = None

    def as_json(self) -> Json:
        return {
            "step": "install-packages",
            "distro": self.distro,
            "packages": [str(digest) for digest in self.packages],
            "sources": self.sources,
            "world": self.world,
            "keys": [str(digest) for digest in self.keys],
            "hostname": self.hostname,
            **({"minirootfs": str(self.minirootfs)} if self.minirootfs else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyIn:
    """Merge a file or folder of the host, already in the store as the tar ``layer``."""

    layer: Digest
    target: str

    def as_json(self) -> Json:
        return {"step": "copy-in", "layer": str(self.layer), "target": self.target}


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile:
    """Write one file.  ``owner`` is ``user[:group]``, by names of the image or numbers."""

    path: str
    content: Digest
    mode: int
    owner: str = "root"

    def as_json(self) -> Json:
        return {
            "step": "write-file",
            "path": self.path,
            "content": str(self.content),
            "mode": self.mode,
            "owner": self.owner,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user as wanted; ``None`` leaves it to the image.  ``keys`` are lines for ssh."""

    name: str
    uid: int | None = None
    groups: tuple[str, ...] = ()
    shell: str | None = None
    home: str | None = None
    keys: tuple[str, ...] = ()
    password_hash: str | None = None

    def as_json(self) -> Json:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeLogins:
    """Make users, or change those that are there to what is wanted."""

    logins: tuple[Login, ...]

    def as_json(self) -> Json:
        return {"step": "make-logins", "logins": [login.as_json() for login in self.logins]}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCommand:
    """Run ``command`` by ``/bin/sh -lc`` in the sandbox.

    ``label`` says where it stands, to those who read of its end; it decides nothing.
    """

    command: str
    network: bool
    label: str = "a command"

    def as_json(self) -> Json:
        return {"step": "run-command", "command": self.command, "network": self.network}


Step: TypeAlias = InstallPackages | MakeLogins | CopyIn | WriteFile | RunCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """Steps in order, and what the written image depends on beside them.

    ``kernel`` is the digest of the kernel's package, ``guest`` that of the agent and the init
    scripts, ``options`` are the writer's.  ``source_date_epoch`` is ``None`` when the inputs
    themselves tell it.
    """

    arch: Arch
    steps: tuple[Step, ...]
    kernel: Digest
    guest: Digest
    options: Mapping[str, Any]
    source_date_epoch: int | None = None

    @property
    def id(self) -> Digest:
        """The digest of everything that decides the image's bytes."""
        return digest_of(
            {
                "arch": self.arch.value,
                "steps": str(self.step_ids[-1]) if self.steps else None,
                "kernel": str(self.kernel),
                "guest": str(self.guest),
                "options": self.options,
                "sourceDateEpoch": self.source_date_epoch,
            }
        )

    @property
    def step_ids(self) -> tuple[Digest, ...]:
        """The id of each step, in order."""
        base = digest_of({"arch": self.arch.value, "sourceDateEpoch": self.source_date_epoch})
        ids: list[Digest] = []
        for step in self.steps:
            base = digest_of({"after": str(base), "step": step.as_json()})
            ids.append(base)
        return tuple(ids)

    def derived_uuid(self, purpose: str) -> uuid.UUID:
        """A UUID that is the same for the same plan, and differs from purpose to purpose."""
        return uuid.uuid5(_NAMESPACE, f"{self.id}:{purpose}")

"""Running commands inside a tree: what is asked, and who can do it.

An ``Executor`` never changes a tree; what the commands did comes back as a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from bootsmith.model.guest_path import GuestPath
from bootsmith.model.streams import BlobStore
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer

OnOutput: TypeAlias = Callable[[str, bytes], None]
"""Called with a command's label and one line it printed, without its line end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxCommand:
    """A program to run as root of the guest.

    ``env`` is the whole environment the program gets.  ``label`` names the command in output
    and errors.
    """

    argv: tuple[str, ...]
    label: str
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporaryFile:
    """A file that the commands see and the result does not hold.

    It covers the file that is there, if any; that one stays as it is.
    """

    path: GuestPath
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxJob:
    """Commands to run one after the other in one sandbox; the first that fails ends it.

    Without ``network`` there is only a loopback interface; with it, the host's network and
    name servers.  With ``fresh_tmp`` the commands find ``/tmp`` empty and nothing of it is
    kept; without, it is the tree's own.  ``timeout_s`` is for all commands together.
    """

    commands: tuple[SandboxCommand, ...]
    network: bool = False
    hostname: str = "localhost"
    files: tuple[TemporaryFile, ...] = ()
    fresh_tmp: bool = True
    timeout_s: float | None = None


class Executor(Protocol):
    """Something that can run the programs of a tree."""

    def run(
        self, tree: FileTree, job: SandboxJob, *, blobs: BlobStore, on_output: OnOutput
    ) -> Layer:
        """What ``job`` changed in ``tree``: exact modes, owners, times and attributes.

        Contents are in one blob that is added to ``blobs``.  What happens in ``/dev``,
        ``/proc``, ``/sys``, ``/run`` and a fresh ``/tmp`` is not part of the result.

        Raises ``StepFailed`` when a command fails, cannot be started or takes too long, and
        ``HostError`` when this machine cannot run it.
        """
        ...

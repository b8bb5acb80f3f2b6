"""Running commands inside a tree: what is asked, and who can do it.

An ``Executor`` never changes a tree; what the commands did comes back as a layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from bootsmith.model.digest import Descriptor
from bootsmith.model.guest_command import GuestCommand, GuestFile
from bootsmith.model.streams import BlobStore
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer

ExecutorName: TypeAlias = Literal["auto", "namespace", "vm"]
"""What the user may ask for; ``auto`` is what this machine can do."""

OnOutput: TypeAlias = Callable[[str, bytes], None]
"""Called with a command's label and one line it printed, without its line end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxJob:
    """Commands to run one after the other in one sandbox; the first that fails ends it.

    Without ``network`` there is only a loopback interface; with it, the host's network and
    name servers.  With ``fresh_tmp`` the commands find ``/tmp`` empty and nothing of it is
    kept; without, it is the tree's own.  ``timeout_s`` is for all commands together.
    """

    commands: tuple[GuestCommand, ...]
    network: bool = False
    hostname: str = "localhost"
    files: tuple[GuestFile, ...] = ()
    fresh_tmp: bool = True
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLayer:
    """A layer, and the blob that is its tar and holds all its contents."""

    blob: Descriptor
    layer: Layer


class Executor(Protocol):
    """Something that can run the programs of a tree."""

    def run(
        self, tree: FileTree, job: SandboxJob, *, blobs: BlobStore, on_output: OnOutput
    ) -> StoredLayer:
        """What ``job`` changed in ``tree``: exact modes, owners, times and attributes.

        The layer is added to ``blobs``.  What happens in ``/dev``, ``/proc``, ``/sys``, ``/run``
        and a fresh ``/tmp`` is not part of the result.

        Raises ``StepFailed`` when a command fails, cannot be started or takes too long, and
        ``HostError`` when this machine cannot run it, and ``VMError`` when a machine that was to
        run it does not come up.
        """
        ...

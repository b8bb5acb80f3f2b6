"""What a build asks of a distribution, whichever it is.

Alpine and Debian differ in how packages are chosen, laid out and configured, and in nothing
else a build does: ``distributions.py`` chooses one, once, and from there on there is only this.
``docs/decisions/0011-two-distributions.md`` says what stands behind the interface and what not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bootsmith.model.digest import Digest, RemoteBlob
from bootsmith.model.guest_command import GuestFile
from bootsmith.model.guest_path import GuestPath
from bootsmith.plan.build_plan import InstallPackages
from bootsmith.plan.lock import Lock, LockedPackage
from bootsmith.sandbox.executor import Executor
from bootsmith.tree.file_tree import FileTree


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledRoot:
    """``epoch_s`` is the time that nothing in the image may be newer than."""

    tree: FileTree
    epoch_s: int


class Distribution(Protocol):
    """A rule book, opened at one request."""

    title: str
    """The distribution and its release, as messages say it."""

    kernel_image: GuestPath | None
    """Where the kernel is in its package, if that is known beforehand."""

    @property
    def resolution_digest(self) -> Digest:
        """A digest of what decides the lock."""
        ...

    @property
    def minirootfs(self) -> Digest | None:
        """The archive that the root file system begins as, if it is not an empty one."""
        ...

    def require_files(self) -> None:
        """Raises ``ConfigError`` that names every file of its part of the config (keys, an
        archive to begin with) that cannot be used."""
        ...

    def resolve(self) -> Lock:
        """Choose every input from what the mirrors offer now.

        Raises ``ResolveError`` with the chain of reasons, before any package is fetched, and
        ``FetchError`` or ``IntegrityError`` when a mirror fails.
        """
        ...

    def remote(self, package: LockedPackage) -> RemoteBlob:
        """Where ``package`` can be had from."""
        ...

    def install_step(self, packages: Sequence[LockedPackage]) -> InstallPackages:
        """The step that ``packages`` are installed by."""
        ...

    def install(
        self,
        lock: Lock,
        executor: Executor,
        *,
        step_id: Digest,
        on_dated: Callable[[int], object],
    ) -> InstalledRoot:
        """The packages of ``lock``, which are in the store, laid out and configured by
        ``executor``.

        ``on_dated`` is called with the result's ``epoch_s`` before anything runs.
        Raises ``ArchiveError`` for a package that is not what it should be, ``StepFailed`` when
        a package's script fails, ``HostError`` when this machine cannot run them.
        """
        ...

    def initramfs(
        self, lock: Lock, executor: Executor, *, step_id: Digest, epoch_s: int
    ) -> InstalledRoot:
        """The packages for the initramfs, laid out and configured as those of ``install``."""
        ...

    def kernel_tree(self, lock: Lock) -> FileTree:
        """The files of the kernel's package."""
        ...

    def surroundings(self) -> tuple[GuestFile, ...]:
        """What the user's commands find in the tree, and the image does not get."""
        ...

    def tidy(self, tree: FileTree, *, epoch_s: int) -> FileTree:
        """``tree`` without the logs, caches and dates that programs left which ran in it."""
        ...

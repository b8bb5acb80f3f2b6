"""Carrying out a plan's steps: a tree after each, and a layer kept for those that cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bootsmith.errors import ConfigError
from bootsmith.host.environment import own_sources_digest
from bootsmith.model.canonical_json import digest_of
from bootsmith.model.digest import Digest
from bootsmith.model.guest_command import GuestCommand, GuestFile
from bootsmith.model.guest_path import ancestors, guest_path
from bootsmith.pipeline.copy_in import copy_in, require_folders
from bootsmith.pipeline.logins import make_logins
from bootsmith.pipeline.owners import owner_ids
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.build_plan import (
    BuildPlan,
    CopyIn,
    InstallPackages,
    MakeLogins,
    RunCommand,
    Step,
    WriteFile,
)
from bootsmith.sandbox.executor import Executor, SandboxJob
from bootsmith.store.blobs import Store
from bootsmith.tree.accounts import read_accounts
from bootsmith.tree.entry import BlobSlice, Directory, Member, Metadata, RegularFile
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, overlay, read_layer, with_parents

_BILLION = 1_000_000_000
_LAYER_KIND = "step-layer"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Package managers of languages keep what they download, and the addresses; no image needs it.
_NO_CACHES = {"PIP_NO_CACHE_DIR": "1", "npm_config_cache": "/run/npm-cache"}


def has_work_for_sandbox(
    plan: BuildPlan, store: Store, *, named: Callable[[Digest], Digest]
) -> bool:
    """Whether a build of ``plan`` runs commands whose effect is not in the store.

    ``named`` is what the effect of the user's commands is kept under, by the step's id.
    """
    return any(
        (isinstance(step, InstallPackages) and not _is_kept(step_id, store))
        or (isinstance(step, RunCommand) and not _is_kept(named(step_id), store))
        for step, step_id in zip(plan.steps, plan.step_ids, strict=True)
    )


def _is_kept(step_id: Digest, store: Store) -> bool:
    return store.derived(_LAYER_KIND, _key(step_id)) is not None


def _key(step_id: Digest) -> Digest:
    return digest_of({"step": str(step_id), "code": str(own_sources_digest())})


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRunner:
    """Turns the tree before a step into the tree after it.

    ``epoch_s`` is what the build's commands are told in ``SOURCE_DATE_EPOCH``;
    ``surroundings`` are files that they see and the image does not get.
    """

    bench: Workbench
    executor: Executor
    hostname: str
    epoch_s: int
    surroundings: tuple[GuestFile, ...] = ()

    def carry_out(self, tree: FileTree, step: Step, step_id: Digest) -> FileTree:
        """``tree`` after ``step``, which installs no packages (a ``Distribution`` does)."""
        match step:
            case MakeLogins(logins=logins):
                return make_logins(tree, logins, blobs=self.bench.store, epoch_s=self.epoch_s)
            case CopyIn(layer=layer, target=target):
                return copy_in(tree, layer, target, self.bench.store, epoch_s=self.epoch_s)
            case WriteFile():
                return self._write_file(tree, step)
            case RunCommand():
                self.bench.reporter.stage(f"Running {step.command}")
                return self.run(tree, self._job(step), step_id=step_id)
        raise TypeError(f"{type(step).__name__} is carried out elsewhere")

    def run(self, tree: FileTree, job: SandboxJob, *, step_id: Digest) -> FileTree:
        """``tree`` after ``job``; what it changed is kept under ``step_id`` for the next time.

        Raises ``StepFailed`` when a command of the job fails.
        """
        store = self.bench.store
        key = _key(step_id)
        kept = store.derived(_LAYER_KIND, key)
        if kept is not None:
            return overlay(tree, read_layer(store.open_blob(kept.digest), kept.digest))
        changed = self.executor.run(tree, job, blobs=store, on_output=self.bench.reporter.output)
        store.record_derived(_LAYER_KIND, key, changed.blob)
        return overlay(tree, changed.layer)

    def _write_file(self, tree: FileTree, step: WriteFile) -> FileTree:
        source = self.bench.store.open_blob(step.content)
        uid, gid = owner_ids(step.owner, read_accounts(tree, blobs=self.bench.store))
        entry = RegularFile(
            Metadata(step.mode, uid, gid, self.epoch_s * _BILLION),
            BlobSlice(step.content, 0, source.size_bytes),
        )
        path = guest_path(step.path)
        require_folders(tree, ancestors(path))
        place = tree.resolve(path)
        if place is not None and isinstance(tree.get(place), Directory):
            raise ConfigError(
                f"{step.path} is a folder in the image, and a file cannot take its place",
                hint="name a file inside it in files[].path",
            )
        # Where a link is, what it leads to is written, as a shell would.
        layer = Layer((Member(path if place is None else place, entry),))
        folder = Directory(Metadata(0o755, mtime_ns=self.epoch_s * _BILLION))
        return overlay(tree, with_parents(tree, layer, folder))

    def _job(self, step: RunCommand) -> SandboxJob:
        command = GuestCommand(
            argv=("/bin/sh", "-lc", step.command),
            label=step.label,
            source=step.command,
            env={
                "PATH": _PATH,
                "HOME": "/root",
                "DEBIAN_FRONTEND": "noninteractive",
                "LC_ALL": "C.UTF-8",
                "SOURCE_DATE_EPOCH": str(self.epoch_s),
                **_NO_CACHES,
            },
        )
        return SandboxJob(
            commands=(command,),
            network=step.network,
            hostname=self.hostname,
            files=self.surroundings,
            fresh_tmp=False,  # what postBuild.copy put there is meant to be found
        )

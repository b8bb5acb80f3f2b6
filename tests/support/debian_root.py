"""A Debian root made of .deb files as the pipeline makes it, for tests to compare."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bootsmith.host.files import FileSource
from bootsmith.model.streams import chunks
from bootsmith.sandbox.executor import Executor, SandboxJob
from bootsmith.sources.debian.archive import Repository
from bootsmith.sources.debian.configure import configuration
from bootsmith.sources.debian.deb import open_deb
from bootsmith.sources.debian.finish import finish
from bootsmith.sources.debian.mirror import DEBIAN, DEBIAN_SECURITY
from bootsmith.sources.debian.unpack import unpack
from bootsmith.sources.debian.unpacked import ChosenDeb, unpack_debs
from bootsmith.store.blobs import Store
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import overlay
from bootsmith.tree.normalise import clamp_times

EPOCH = 1_790_000_000
REPOSITORIES = (
    Repository(archive=DEBIAN, suite="bookworm"),
    Repository(archive=DEBIAN, suite="bookworm-updates"),
    Repository(archive=DEBIAN_SECURITY, suite="bookworm-security"),
)


@dataclass(slots=True)
class Printed:
    """What the commands printed, by their label."""

    lines: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, label: str, line: bytes) -> None:
        self.lines.setdefault(label, []).append(line.decode("utf-8", "replace"))


def configured_root(
    debs: Iterable[Path], *, store: Store, executor: Executor, printed: Printed
) -> FileTree:
    """The packages unpacked, configured and finished."""
    unpacked = unpack_debs([_chosen(path, store) for path in sorted(debs)], store=store)
    tree = unpack(unpacked, arch="amd64")
    controls = [deb.control for deb in unpacked]
    dpkg = next(str(control.version) for control in controls if control.name == "dpkg")
    work = configuration(controls, dpkg_version=dpkg)
    job = SandboxJob(commands=work.commands, files=work.files, hostname="guest")
    changed = executor.run(tree, job, blobs=store, on_output=printed)
    finished = finish(overlay(tree, changed.layer), REPOSITORIES, epoch_s=EPOCH, blobs=store)
    return clamp_times(finished, epoch_s=EPOCH)


def _chosen(path: Path, store: Store) -> ChosenDeb:
    with FileSource(path) as source:
        kept = store.add_blob(chunks(source, 0, source.size_bytes))
        control = open_deb(source).control
    return ChosenDeb(
        name=control.name,
        version=str(control.version),
        architecture=control.architecture,
        digest=kept.digest,
        size_bytes=kept.size_bytes,
    )

"""What an output folder already holds: whether a build has anything to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import BootsmithError
from bootsmith.host.files import file_identity, read_whole
from bootsmith.host.object_folder import RecordFolder
from bootsmith.manifest.manifest import LOCK_NAME, MANIFEST_NAME, Manifest, decode_manifest
from bootsmith.model.digest import Digest
from bootsmith.plan.build_plan import BuildPlan
from bootsmith.plan.lock import Lock, encode_lock
from bootsmith.store.blobs import Store

_ACCESS = "/access"  # no artifact's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """An output folder, and what the store remembers of its files.

    Hashing half a gigabyte takes longer than everything else an unchanged build does, so files
    that were right once and have the same identity since are not hashed again.  ``access`` tells
    what the commands are given to reach out from what they were given at another time: an image
    made with another one is made anew.
    """

    output: Path
    store: Store
    access: str = ""

    def find(
        self, plan: BuildPlan, lock: Lock, config: BuildConfig, *, builder: Mapping[str, str]
    ) -> Manifest | None:
        """The manifest of the image there if it is what a build would make, all of it right."""
        try:
            manifest = decode_manifest(read_whole(self.output / MANIFEST_NAME))
            is_the_same = (
                manifest.plan_id == str(plan.id)
                and manifest.record.get("builder") == builder
                and manifest.config == {**config.as_json(), "arch": plan.arch.value}
                and manifest.rootfs_mode == config.runtime_defaults.rootfs_mode
                and read_whole(self.output / LOCK_NAME) == encode_lock(lock)
            )
            if not is_the_same:
                return None
            remembered = self._remembered()
            if remembered.get(_ACCESS, "") != self.access:
                return None
            if remembered != self._identities(manifest):
                from bootsmith.pipeline.verify import image_problems  # reads file systems

                if image_problems(self.output, manifest):
                    return None
                self.remember(manifest)
        except BootsmithError:
            return None  # there is no image, or not a whole one: it is built
        return manifest

    def remember(self, manifest: Manifest) -> None:
        """The files there are what ``manifest`` says: they were just written, or checked."""
        text = json.dumps(self._identities(manifest), sort_keys=True)
        self._records().write(self._key(), text.encode())

    def _identities(self, manifest: Manifest) -> dict[str, str]:
        """By name, each with the digest it had, so that a forged manifest is no match."""
        files = {
            artifact.name: f"{artifact.digest} {file_identity(self.output / artifact.name)}"
            for artifact in manifest.artifacts.values()
        }
        return {**files, _ACCESS: self.access} if self.access else files

    def _remembered(self) -> dict[str, str]:
        text = self._records().read(self._key())
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            return {}  # damaged: the files are hashed
        return found if isinstance(found, dict) else {}

    def _records(self) -> RecordFolder:
        return self.store.published

    def _key(self) -> str:
        return Digest.of(str(self.output.absolute()).encode("utf-8", "surrogateescape")).hex

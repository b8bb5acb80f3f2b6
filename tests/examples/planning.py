"""Planning a config of Alpine packages without any of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootsmith.config.build_config import BuildConfig
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.plan.alpine import BASE, ApkChoice, resolve_alpine
from bootsmith.plan.lock import Lock
from bootsmith.sources.alpine.mirror import ALPINE
from bootsmith.sources.alpine.trust import Keyring
from bootsmith.store.blobs import Store
from tests.support.alpine_repository import SigningKey, apk, index, signed_index


def planned(config: BuildConfig, folder: Path) -> Lock:
    """The lock from a repository with empty packages of just the names that are asked for."""
    arch = config.arch or Arch.X86_64
    alpine = config.alpine
    names = {*BASE, *alpine.rootfs_packages, *alpine.initramfs_packages, alpine.kernel_package}
    key = SigningKey.generate()
    branch = f"v{alpine.version.rpartition('.')[0]}"
    indexes = {
        f"{branch}/main/{arch.apk}/APKINDEX.tar.gz": [
            apk(name=name, arch=arch.apk) for name in sorted(names)
        ],
        f"{branch}/community/{arch.apk}/APKINDEX.tar.gz": [],
    }

    class Mirror:
        def address(self, path: str) -> str:
            return f"https://mirror.example.org/{path}"

        def fresh(self, path: str) -> bytes:
            return signed_index(index(indexes[path]), key=key)

    def take_in(chosen: Sequence[ApkChoice]) -> list[Descriptor]:
        return [Descriptor(digest=Digest.of(one.path.encode()), size_bytes=1) for one in chosen]

    return resolve_alpine(
        config,
        arch,
        fetchers={ALPINE: Mirror()},
        store=Store(folder),
        keyring=Keyring({key.name: key.public}),
        take_in=take_in,
        allow_unsigned=False,
    )

"""``Image``: a folder with a kernel, an initramfs, a root file system and a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootsmith.errors import HostError, ImageError, InvalidImage
from bootsmith.host.files import is_plain_file, read_whole, user_path
from bootsmith.host.paths import is_folder
from bootsmith.manifest.manifest import (
    INITRAMFS_NAME,
    KERNEL_NAME,
    MANIFEST_NAME,
    ROOTFS_NAME,
    Manifest,
    decode_manifest,
)
from bootsmith.model.arch import Arch
from bootsmith.model.reporter import PythonWarnings, Reporter
from bootsmith.sdk.settings import DEFAULT_OUTPUT, image_store_folder

if TYPE_CHECKING:
    from bootsmith.config.build_config import BuildConfig
    from bootsmith.sdk.build_options import BuildOptions


class Image:
    """An image on disk.  Made by ``Image.build`` or found by ``Image.open``."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, path: str | Path) -> Image:
        """The image in the folder ``path``, or the one the library has under that name.

        Raises ``ImageError`` when there is none, or its manifest cannot be read.  Nothing but
        the manifest is looked at; ``verify`` checks the rest.
        """
        folder = user_path(path)
        if not is_folder(folder):
            from bootsmith.sdk.selecting import select  # the library; a folder does without it

            folder = select(path).folder
        try:
            manifest = decode_manifest(read_whole(folder / MANIFEST_NAME))
        except HostError as error:
            raise ImageError(
                f"there is no image in {folder}: {error}",
                hint=f"make one with: bootsmith build --output {folder}",
            ) from error
        image = cls(folder, manifest)
        for asset in (image.kernel_path, image.initramfs_path, image.rootfs_path):
            if not is_plain_file(asset):
                raise ImageError(
                    f"{asset} is missing, the image is not complete",
                    hint=_remedy(folder),
                )
        return image

    @classmethod
    def build(
        cls,
        config: BuildConfig | Mapping[str, Any] | str | Path | None = None,
        *,
        output: str | Path = DEFAULT_OUTPUT,
        options: BuildOptions | None = None,
        reporter: Reporter | None = None,
    ) -> Image:
        """Build an image into the folder ``output``.

        A folder that is there keeps its mode, its owner and whatever is not an image's.

        ``config`` is a ``BuildConfig``, its fields as a mapping, the path of a config file,
        or nothing for the default preset.  Raises ``ConfigError`` for a wrong config,
        ``ImageError`` when the image cannot be built, ``HostError`` when this machine lacks
        something or ``output`` holds files of no image; ``output`` is then as it was.
        """
        from bootsmith.sdk.build_start import start_build  # whoever opens images builds none

        folder = user_path(output)
        manifest = start_build(
            config, output=folder, options=options, reporter=reporter or PythonWarnings()
        )
        return cls(folder, manifest)

    @property
    def arch(self) -> Arch:
        return self.manifest.arch

    @property
    def build_id(self) -> str:
        """The UUID that follows from the checksums of the files."""
        return self.manifest.build_id

    @property
    def kernel_path(self) -> Path:
        return self._asset("kernel", KERNEL_NAME)

    @property
    def initramfs_path(self) -> Path:
        return self._asset("initramfs", INITRAMFS_NAME)

    @property
    def rootfs_path(self) -> Path:
        return self._asset("rootfs", ROOTFS_NAME)

    def expected_sizes(self) -> dict[Path, int]:
        """How long each file is to be, in bytes, as far as the manifest tells."""
        return {
            self.folder / artifact.name: artifact.size_bytes
            for artifact in self.manifest.artifacts.values()
            if artifact.size_bytes is not None
        }

    def verify(self) -> None:
        """Check every file against the manifest.

        Raises ``InvalidImage`` with every disagreement in ``failures``.
        """
        from bootsmith.pipeline.verify import image_problems  # as in build: only when asked for

        failures = image_problems(self.folder, self.manifest)
        if failures:
            raise InvalidImage(
                f"{self.folder} is not what its manifest says",
                failures=failures,
                hint=_remedy(self.folder),
            )

    def __repr__(self) -> str:
        return f"Image({str(self.folder)!r}, build_id={self.build_id!r})"

    def _asset(self, key: str, default: str) -> Path:
        artifact = self.manifest.artifacts.get(key)
        return self.folder / (artifact.name if artifact else default)


def _remedy(folder: Path) -> str:
    """What to do about a damaged image: one in the library is not built where it lies."""
    if folder.parent == image_store_folder() / "objects":
        return "build it again with --tag, or import or pull it again: that mends the library's"
    return f"make it again with: bootsmith build --output {folder}"

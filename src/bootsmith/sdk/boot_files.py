"""What a machine boots, wherever it comes from: an image, a bare folder, files named one by one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.host.files import FileSource, is_plain_file, read_whole, sha256_of_file, user_path
from bootsmith.host.paths import exists
from bootsmith.manifest.manifest import INITRAMFS_NAME, KERNEL_NAME, MANIFEST_NAME, ROOTFS_NAME
from bootsmith.model.arch import Arch
from bootsmith.sdk.image import Image
from bootsmith.sdk.settings import default_image_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFiles:
    """``boot_args`` ``None`` are ours; ``rootfs_mode`` is the image's own default, if it has one.

    ``image`` is the image these files belong to, if they belong to one.
    """

    arch: Arch
    kernel: Path
    initramfs: Path | None
    rootfs: Path
    boot_args: tuple[str, ...] | None = None
    rootfs_mode: str | None = None
    image: Image | None = None

    def build_id(self) -> str:
        """The id by which a checkpoint finds these files again.

        A manifest's checksums give it at once; without one every file is read.  Raises
        ``ImageError`` where the kernel boots without an initramfs, which has no build id.
        """
        if self.image is not None:
            return self.image.build_id
        if self.initramfs is None:
            raise ImageError(
                "files without an initramfs have no build id",
                hint="make the checkpoint of an image: a folder with kernel, initramfs and rootfs",
            )
        from bootsmith.manifest.build_id import build_id

        files = {"kernel": self.kernel, "initramfs": self.initramfs, "rootfs": self.rootfs}
        return str(build_id({key: sha256_of_file(path) for key, path in files.items()}, self.arch))

    def check_sizes(self) -> None:
        """Find out what would end in a boot that fails without a word.

        Reads no content: ``verify`` does.  Raises ``ImageError`` for a file that is empty or
        not as long as its manifest says.
        """
        expected = self.image.expected_sizes() if self.image is not None else {}
        for path in (self.kernel, self.initramfs, self.rootfs):
            if path is None:
                continue
            with FileSource(path) as source:
                size_bytes = source.size_bytes
            wanted = expected.get(path)
            if wanted is not None and wanted != size_bytes:
                raise ImageError(
                    f"{path} has {size_bytes} bytes, its manifest says {wanted}",
                    hint=f"the image is damaged; see: bootsmith verify {path.parent}",
                )
            if size_bytes == 0:
                raise ImageError(f"{path} is empty", hint="build the image again")


def selected_files(selector: str | Path | None) -> BootFiles:
    """The files of the image that is meant: a folder, a build id, a name; ``None``: the default.

    Raises ``ImageError`` when there is none.
    """
    if selector is None:
        with default_image_folder() as default:
            return files_of_folder(default)
    folder = user_path(selector)
    if not exists(folder / MANIFEST_NAME):
        from bootsmith.sdk.selecting import select  # the library; a folder does without it

        folder = select(selector).folder
    return files_of_folder(folder)


def files_of_image(image: Image) -> BootFiles:
    return BootFiles(
        arch=image.arch,
        kernel=image.kernel_path,
        initramfs=image.initramfs_path,
        rootfs=image.rootfs_path,
        rootfs_mode=image.manifest.rootfs_mode,
        image=image,
    )


def files_of_folder(folder: Path) -> BootFiles:
    """The files in ``folder``: what its manifest says, else exactly the three usual names.

    Raises ``ImageError`` when they are not all there.
    """
    if exists(folder / MANIFEST_NAME) or not exists(folder / KERNEL_NAME):
        return files_of_image(Image.open(folder))
    paths = [folder / name for name in (KERNEL_NAME, INITRAMFS_NAME, ROOTFS_NAME)]
    missing = [path.name for path in paths if not is_plain_file(path)]
    if missing:
        raise ImageError(
            f"{folder} has no {MANIFEST_NAME}, and lacks {' and '.join(missing)}",
            hint=f"without a manifest it must hold {KERNEL_NAME}, {INITRAMFS_NAME}, {ROOTFS_NAME}",
        )
    kernel, initramfs, rootfs = paths
    return BootFiles(
        arch=_arch_of_kernel(kernel), kernel=kernel, initramfs=initramfs, rootfs=rootfs
    )


def files_by_name(
    *,
    kernel: str | Path,
    rootfs: str | Path,
    initrd: str | Path | None,
    boot_args: str | None,
) -> BootFiles:
    """Files named one by one; ``boot_args`` is the whole command line, ``None`` is ours.

    Raises ``HostError`` when one cannot be read, ``ImageError`` when the kernel is none.
    """
    path = user_path(kernel)
    return BootFiles(
        arch=_arch_of_kernel(path),
        kernel=path,
        initramfs=None if initrd is None else user_path(initrd),
        rootfs=user_path(rootfs),
        boot_args=None if boot_args is None else tuple(boot_args.split()),
    )


def _arch_of_kernel(path: Path) -> Arch:
    # Looking into a kernel takes decompressors, which a manifest spares.
    from bootsmith.image.kernel_image import KERNEL_MAX_BYTES, kernel_facts

    try:
        return kernel_facts(read_whole(path, most_bytes=KERNEL_MAX_BYTES)).arch
    except ArchiveError as error:
        raise ImageError(
            f"{path} is no kernel bootsmith knows: {error}", hint="name a bzImage, Image or ELF"
        ) from error

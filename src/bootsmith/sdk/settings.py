"""What the user's environment says, read in one place.

``BOOTSMITH_CACHE_DIR``      where the store is (else ``$XDG_CACHE_HOME/bootsmith``)
``BOOTSMITH_IMAGE_STORE``    where the library of images is (else ``$GONDOLIN_IMAGE_STORE``,
                             else ``$XDG_DATA_HOME/bootsmith/images``)
``BOOTSMITH_IMAGE_REGISTRY`` where images are pulled from (else ``$GONDOLIN_IMAGE_REGISTRY_URL``,
                             else Gondolin's own)
``BOOTSMITH_GUEST_DIR``      the folder of the image that is meant when none is named
``GONDOLIN_GUEST_DIR``       the same, where that is not set
``BOOTSMITH_DEBIAN_MIRROR``  the mirror of Debian's archive
``BOOTSMITH_DEBIAN_SECURITY_MIRROR``  the mirror of its security archive
``BOOTSMITH_ALPINE_MIRROR``  the mirror of Alpine
``BOOTSMITH_KRUNFW_MIRROR``  where releases of libkrunfw are
``SOURCE_DATE_EPOCH``        the time stamp of everything that is built
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootsmith.errors import BootsmithError, ConfigError, ImageNotFound
from bootsmith.host.environment import environment, home_folder
from bootsmith.host.files import user_path
from bootsmith.host.paths import is_folder

_LATEST_S = 15_032_385_535  # 34 bits from 1901 on: the last second of an ext4 inode
_GONDOLINS_REGISTRY = (
    "https://raw.githubusercontent.com/earendil-works/gondolin/main/builtin-image-registry.json"
)
_GUEST_FOLDERS = ("BOOTSMITH_GUEST_DIR", "GONDOLIN_GUEST_DIR")
DEFAULT_OUTPUT = Path("bootsmith-image")


def cache_folder() -> Path:
    """Where blobs and finished stages are kept."""
    variables = environment()
    if named := variables.get("BOOTSMITH_CACHE_DIR"):
        return user_path(named)
    if base := variables.get("XDG_CACHE_HOME"):
        return user_path(base) / "bootsmith"
    return home_folder() / ".cache" / "bootsmith"


def state_folder() -> Path:
    """Where it is noted what was learnt about this machine."""
    return cache_folder() / "state"


def image_store_folder() -> Path:
    """Where the library of images is."""
    variables = environment()
    for name in ("BOOTSMITH_IMAGE_STORE", "GONDOLIN_IMAGE_STORE"):
        if named := variables.get(name):
            return user_path(named)
    if base := variables.get("XDG_DATA_HOME"):
        return user_path(base) / "bootsmith" / "images"
    return home_folder() / ".local" / "share" / "bootsmith" / "images"


def image_registry(named: str | None = None) -> str:
    """The address of the registry that is meant; ``named`` is one, or a file of this machine."""
    variables = environment()
    for name in ("BOOTSMITH_IMAGE_REGISTRY", "GONDOLIN_IMAGE_REGISTRY_URL"):
        named = named or variables.get(name)
    named = named or _GONDOLINS_REGISTRY
    return named if "://" in named else user_path(named).as_uri()


@contextmanager
def default_image_folder() -> Iterator[Path]:
    """The folder of the image that is meant when none is named.

    Raises ``ImageNotFound`` when there is no such folder.  That error, and any about the folder
    while it is worked with, says which variable names it.
    """
    variables = environment()
    named_by = next((name for name in _GUEST_FOLDERS if variables.get(name)), None)
    try:
        folder = next(image_folders())
        if not is_folder(folder):
            raise _no_default_image(folder, named_by)
        yield folder
    except BootsmithError as error:
        if named_by is not None and named_by not in str(error):
            advice = f"{error.hint}; " if error.hint else ""
            error.hint = f"{advice}no image is named, and so {named_by} says where it is"
        raise


def _no_default_image(folder: Path, named_by: str | None) -> ImageNotFound:
    if named_by is not None:
        return ImageNotFound(
            f"{named_by} is to be the folder of an image, and there is no folder {folder}",
            selector=str(folder),
            hint=f"make one with: bootsmith build --output {folder}; or name an image",
        )
    return ImageNotFound(
        f"no image is named, and there is no folder {folder} here",
        selector=str(folder),
        hint="make one with: bootsmith build; or name one that bootsmith image ls shows",
    )


def image_folders() -> Iterator[Path]:
    """Where images lie that nobody has to name, the one that is meant first."""
    variables = environment()
    for name in _GUEST_FOLDERS:
        if named := variables.get(name):
            yield user_path(named)
    yield DEFAULT_OUTPUT


def source_date_epoch() -> int | None:
    """``SOURCE_DATE_EPOCH`` in seconds since 1970.  Raises ``ConfigError`` if it is no number."""
    text = environment().get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is {text!r}", hint="it must be a number of seconds since 1970"
        )
    if int(text) > _LATEST_S:
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is {text}", hint=f"ext4 holds no time after {_LATEST_S} (2446)"
        )
    return int(text)

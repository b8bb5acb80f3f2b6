"""Whether an image may be put into a folder: nobody's files but an image's are replaced."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bootsmith.errors import BootsmithError, HostError
from bootsmith.host.files import read_whole
from bootsmith.host.links import names_in
from bootsmith.host.paths import is_folder
from bootsmith.host.publish import HALF_PUBLISHED
from bootsmith.manifest.manifest import LOCK_NAME, MANIFEST_NAME, ROOTFS_NAME, decode_manifest

_OURS = frozenset({LOCK_NAME, ROOTFS_NAME})  # what nobody else has beside each other
_HINT = "choose another folder, or move that away if nobody needs it"


def require_image_place(folder: Path, names: Iterable[str]) -> None:
    """Find out whether an image of files called ``names`` may be put into ``folder``.

    It may when there is no folder, when none of its files is called so, and when it is an
    image's, by its manifest or, where that is damaged or gone, by its other files.  Raises
    ``HostError``.
    """
    if not is_folder(folder):
        return
    present = set(names_in(folder))
    inner = next((name for name in names if is_folder(folder / name)), None)
    if inner is not None:
        raise HostError(f"{folder} holds a folder {inner} where a file is to go", hint=_HINT)
    if HALF_PUBLISHED in present or present >= _OURS:
        return  # of ours, with no manifest yet or a damaged one
    if MANIFEST_NAME in present:
        _require_image(folder)
        return
    # A lock is nobody else's by its name, and may well be kept where its image is built.
    strange = next((name for name in names if name in present and name != LOCK_NAME), None)
    if strange is not None:
        raise HostError(f"{folder} holds a {strange} that is of no image", hint=_HINT)


def _require_image(folder: Path) -> None:
    try:
        decode_manifest(read_whole(folder / MANIFEST_NAME))
    except BootsmithError as error:
        raise HostError(
            f"{folder} holds a {MANIFEST_NAME} that is no image's: {error}", hint=_HINT
        ) from error

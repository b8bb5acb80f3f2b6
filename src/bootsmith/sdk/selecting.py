"""From a word to an image's folder: the same for every command and for ``Image.open``."""

from __future__ import annotations

from pathlib import Path

from bootsmith.host.environment import host_arch
from bootsmith.library.selection import Selected, Selection
from bootsmith.library.shelf import Shelf
from bootsmith.model.arch import Arch
from bootsmith.sdk.settings import image_store_folder


def select(selector: str | Path, *, arch: Arch | None = None) -> Selected:
    """The image that ``selector`` means: a folder, a build id, a name, part of a build id.

    See ``library.selection.Selection.find`` for the rules and what it raises.
    """
    shelf = Shelf(image_store_folder())
    return Selection(shelf=shelf, host=host_arch()).find(selector, arch=arch)

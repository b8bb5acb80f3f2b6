"""bootsmith: microVM guest images, built and booted.

::

    from bootsmith import VM, Image

    image = Image.build(output="./bootsmith-image")
    with VM(image) as vm:
        print(vm.exec("uname -a").stdout)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from bootsmith._version import __version__

if TYPE_CHECKING:
    from bootsmith.sdk.building import BuildOptions
    from bootsmith.sdk.image import Image
    from bootsmith.sdk.vm import VM, CommandResult, VMOptions


_HOMES = {
    "BuildOptions": "bootsmith.sdk.building",
    "CommandResult": "bootsmith.sdk.vm",
    "Image": "bootsmith.sdk.image",
    "VM": "bootsmith.sdk.vm",
    "VMOptions": "bootsmith.sdk.vm",
}

__all__ = ["VM", "BuildOptions", "CommandResult", "Image", "VMOptions", "__version__"]


def __getattr__(name: str) -> object:
    """The public names, each imported when it is first used: starting quickly is a feature."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bootsmith' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
